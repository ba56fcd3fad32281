// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

char *keep_text(const char *text) {
  char *kept = strdup(text);
  if (kept == NULL) fault(ENOMEM, ".", "has more names than this call has memory for");
  return kept;
}

int64_t nanoseconds(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

struct entry *tree_add(struct tree *tree, const char *path, const struct stat *st) {
  if (tree->count == tree->room) {
    size_t room = tree->room == 0 ? 256 : tree->room * 2;
    struct entry *entries = reallocarray(tree->entries, room, sizeof *entries);
    if (entries == NULL) fault(ENOMEM, ".", "has more names than this call has memory for");
    tree->entries = entries;
    tree->room = room;
  }
  struct entry *e = &tree->entries[tree->count++];
  *e = (struct entry){.path = keep_text(path), .object = "", .xattrs = "", .target = ""};
  if (st == NULL) return e;
  e->mode = st->st_mode;
  e->size = S_ISREG(st->st_mode) ? st->st_size : 0;
  e->mtime = nanoseconds(st->st_mtim);
  e->ctime = nanoseconds(st->st_ctim);
  e->ino = st->st_ino;
  e->links = (uint64_t)st->st_nlink;
  return e;
}

static int weight(char c) { return c == '\0' ? 0 : c == '/' ? 1 : (unsigned char)c + 1; }

int path_order(const char *a, const char *b) {
  bool a_root = strcmp(a, ".") == 0, b_root = strcmp(b, ".") == 0;
  if (a_root || b_root) return (int)b_root - (int)a_root;
  while (*a != '\0' && *a == *b) a++, b++;
  return weight(*a) - weight(*b);
}

bool path_beneath(const char *path, const char *dir) {
  if (strcmp(dir, ".") == 0) return true;
  size_t n = strlen(dir);
  return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static int entry_order(const void *a, const void *b) {
  return path_order(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

void tree_sort(struct tree *tree) {
  if (tree->count > 1) qsort(tree->entries, tree->count, sizeof *tree->entries, entry_order);
}

struct entry *tree_find(const struct tree *tree, const char *path) {
  if (tree->count == 0) return NULL;
  struct entry wanted = {.path = (char *)(uintptr_t)path};
  return bsearch(&wanted, tree->entries, tree->count, sizeof *tree->entries, entry_order);
}
