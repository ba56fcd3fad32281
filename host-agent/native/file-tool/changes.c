// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "content.h"
#include "fault.h"
#include "walk.h"

int comparison_content(const struct comparison *c, const struct entry *e) {
  if (e->object[0] != '\0') return store_open_object(&c->store, e->object);
  return open_beneath(c->ask->root, e->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
}

bool comparison_same_content(const struct comparison *c, const struct entry *a, const struct entry *b) {
  if (a->size != b->size) return false;
  if (a->object[0] != '\0' && strcmp(a->object, b->object) == 0) return true;
  int one = comparison_content(c, a), other = comparison_content(c, b);
  bool same = false;
  // What cannot be read is not the same: it is written again, or told.
  if (one < 0 || other < 0 || content_same(one, other, &same) != 0) same = false;
  if (one >= 0) close(one);
  if (other >= 0) close(other);
  return same;
}

static enum difference differ(const struct comparison *c, const struct entry *a, const struct entry *b) {
  if (a == NULL || b == NULL) return a == b ? SAME : CHANGED;
  bool times = a->mtime != b->mtime;
  // Of the directory above nothing is known but its times.
  if (((a->marks | b->marks) & ABOVE) != 0) return times ? TIMES : SAME;
  if (a->mode != b->mode || strcmp(a->xattrs, b->xattrs) != 0 || strcmp(a->target, b->target) != 0) return CHANGED;
  if (S_ISREG(a->mode) && !comparison_same_content(c, a, b)) return CHANGED;
  return times ? TIMES : SAME;
}

static const struct about *point(const struct comparison *c, const char *id) {
  const struct about *found = id == NULL ? NULL : store_find(&c->store, id);
  if (found == NULL) fault(ENOENT, id == NULL ? "restore point" : id, "is no restore point, or one no more: the oldest end first");
  return found;
}

#define LATER_MAX 512

struct later {
  const struct about *points[LATER_MAX];
  size_t count;
};

static void read_later(struct comparison *c, struct later *later, struct tree *all) {
  const char *to = ask_text(c->ask, "--to");
  char *ids = to == NULL ? NULL : keep_text(to);
  c->later = ids != NULL;
  for (char *id = ids == NULL ? NULL : strtok(ids, ","); id != NULL; id = strtok(NULL, ",")) {
    if (later->count == LATER_MAX) wrong_use("--to names too many points");
    const struct about *about = point(c, id);
    struct tree one = {0};
    store_read(&c->store, about, &one);
    for (size_t i = 0; i < one.count; i++) {
      const struct entry *e = &one.entries[i];
      bool covered = (e->marks & ABOVE) != 0;
      for (size_t k = 0; k < later->count && !covered; k++) covered = path_beneath(e->path, later->points[k]->scope);
      if (!covered) *tree_add(all, e->path, NULL) = *e;
    }
    free(one.entries);
    later->points[later->count++] = about;
  }
  tree_sort(all);
}

// What no later point covers is as it is now.
static void add_now(struct comparison *c, const struct later *later) {
  for (size_t i = 0; c->later && i < c->now.count; i++) {
    bool covered = false;
    for (size_t k = 0; k < later->count && !covered; k++) covered = path_beneath(c->now.entries[i].path, later->points[k]->scope);
    if (!covered) *tree_add(&c->after, c->now.entries[i].path, NULL) = c->now.entries[i];
  }
  tree_sort(&c->after);
}

void comparison_open(struct comparison *c, const struct ask *ask, bool force) {
  const char *store = ask_text(ask, "--store");
  if (store == NULL) wrong_use("--store is missing");
  c->ask = ask;
  c->store = store_open(store, false);
  c->from = point(c, ask_text(ask, "--from"));
  store_read(&c->store, c->from, &c->before);
  static struct later later;
  read_later(c, &later, &c->after);
  struct walk w = {.root = ask->root, .known = {&c->before, &c->after}, .into = &c->now, .force = force,
                   .most_entries = INT64_MAX};
  walk(&w, c->from->scope);
  add_now(c, &later);
}

static bool is_unknown(const struct entry *e) { return e != NULL && (e->marks & UNREAD) != 0; }

// What lies below a directory that one side could not look into is not known, and nothing is done about it.
static bool below_unknown(const struct comparison *c, const char *path) {
  char above[PATH_MAX];
  strcpy(above, path);
  for (;;) {
    char *slash = strrchr(above, '/');
    if (slash == NULL) strcpy(above, ".");
    else *slash = '\0';
    const struct entry *dir = tree_find(&c->before, above), *now = tree_find(&c->now, above);
    if (is_unknown(dir) || (is_unknown(now) && S_ISDIR(now->mode))) return true;
    if (slash == NULL) return false;
  }
}

struct change *comparison_changes(struct comparison *c, size_t *count) {
  const struct tree *after = c->later ? &c->after : &c->now;
  // Every path that one of the three knows.
  const struct tree *all[] = {&c->before, after, &c->now};
  size_t at[3] = {0};
  struct change *changes = calloc(c->before.count + after->count + c->now.count + 1, sizeof *changes);
  if (changes == NULL) fault(ENOMEM, ".", NULL);
  *count = 0;
  for (;;) {
    const char *path = NULL;
    for (int i = 0; i < 3; i++) {
      const char *next = at[i] < all[i]->count ? all[i]->entries[at[i]].path : NULL;
      if (next != NULL && (path == NULL || path_order(next, path) < 0)) path = next;
    }
    if (path == NULL) return changes;
    const struct entry *e[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++) {
      if (at[i] < all[i]->count && strcmp(all[i]->entries[at[i]].path, path) == 0) e[i] = &all[i]->entries[at[i]++];
    }
    // A later point may be of more than this one, and the caller may want less.
    bool above = e[0] != NULL && (e[0]->marks & ABOVE) != 0;
    if ((!above && !path_beneath(path, c->from->scope)) || !path_beneath(path, c->ask->path)) continue;
    if (is_unknown(e[0]) || (strcmp(path, ".") != 0 && below_unknown(c, path))) {
      c->unread++;
      continue;
    }
    struct change change = {.before = e[0], .after = e[1], .now = e[2], .difference = differ(c, e[0], e[1])};
    if (change.difference == SAME) continue;
    change.undone = c->later && differ(c, e[0], e[2]) == SAME;
    change.since = c->later && !change.undone && differ(c, e[1], e[2]) != SAME;
    changes[(*count)++] = change;
  }
}
