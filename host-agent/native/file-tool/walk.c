// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "beneath.h"
#include "fault.h"
#include "xattrs.h"

// Some ticks of the slowest kernel clock: a change within one tick of another has the same time.
#define YOUNG_NS 100000000

static bool is_young(int64_t ctime) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return ctime + YOUNG_NS > nanoseconds(now);
}

static const struct entry *known_as(const struct walk *w, const struct entry *e) {
  for (int i = 0; i < 2; i++) {
    const struct entry *k = w->known[i] == NULL ? NULL : tree_find(w->known[i], e->path);
    if (k == NULL || (k->marks & ~ABOVE) != 0 || k->object[0] == '\0') continue;
    if (k->ino == e->ino && k->ctime == e->ctime && k->size == e->size && k->mode == e->mode) return k;
  }
  return NULL;
}

static void look_at_file(struct walk *w, int dir, const char *name, struct entry *e) {
  const struct entry *known = known_as(w, e);
  if (known != NULL) {
    e->object = known->object;
    e->xattrs = known->xattrs;
    return;
  }
  // Not to wait for the writer of a FIFO that has come in its place.
  int fd = open_child(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
    e->marks |= UNREAD;
    if (fd >= 0) close(fd);
    return;
  }
  char *xattrs = xattrs_read(fd);
  if (xattrs == NULL) e->marks |= UNREAD;
  else e->xattrs = xattrs;
  if (is_young(e->ctime)) e->marks |= YOUNG;
  if (w->visit != NULL) w->visit(w->with, fd, e);
  close(fd);
}

static void look_into(struct walk *w, int fd, const char *path, int depth);

static void look_at(struct walk *w, int dir, const char *name, const char *path, int depth) {
  struct stat st;
  // Gone since its directory was read.
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) return;
  if ((int64_t)w->into->count >= w->most_entries) fault(E2BIG, path, "is one path more than a restore point can hold");
  struct entry *e = tree_add(w->into, path, &st);
  if (S_ISLNK(st.st_mode)) {
    char target[PATH_MAX] = "";
    ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
    if (n < 0) e->marks |= UNREAD;
    target[n < 0 ? 0 : n] = '\0';
    e->target = keep_text(target);
  } else if (S_ISREG(st.st_mode)) {
    look_at_file(w, dir, name, e);
  } else if (S_ISDIR(st.st_mode)) {
    int fd = open_child(dir, name, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && errno == EACCES && w->force && fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0) {
      fd = open_child(dir, name, O_RDONLY | O_DIRECTORY);
    }
    if (fd < 0 || depth >= WALK_DEPTH) {
      e->marks |= UNREAD;
      if (fd >= 0) close(fd);
      return;
    }
    look_into(w, fd, path, depth + 1);
  }
}

// The last entry added is the directory's own. Takes the descriptor.
static void look_into(struct walk *w, int fd, const char *path, int depth) {
  size_t own = w->into->count - 1;
  char *xattrs = xattrs_read(fd);
  if (xattrs == NULL) w->into->entries[own].marks |= UNREAD;
  else w->into->entries[own].xattrs = xattrs;
  DIR *entries = fdopendir(fd);
  if (entries == NULL) fault(errno, path, NULL);
  const struct dirent *entry;
  bool at_root = strcmp(path, ".") == 0;
  while (errno = 0, (entry = readdir(entries)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char below[PATH_MAX];
    int n = snprintf(below, sizeof below, "%s%s%s", at_root ? "" : path, at_root ? "" : "/", entry->d_name);
    // A longer path cannot be opened by its name, so it cannot be brought back by it either.
    if (n < 0 || n >= (int)sizeof below) w->into->entries[own].marks |= UNREAD;
    else look_at(w, fd, entry->d_name, below, depth);
  }
  if (errno != 0) w->into->entries[own].marks |= UNREAD;
  closedir(entries);
}

void walk(struct walk *w, const char *scope) {
  struct stat st;
  if (strcmp(scope, ".") == 0) {
    int fd = open_beneath(w->root, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 || fstat(fd, &st) < 0) fault(errno, ".", NULL);
    tree_add(w->into, ".", &st);
    look_into(w, fd, ".", 0);
  } else {
    char name[NAME_MAX + 1], above[PATH_MAX] = ".";
    int dir = open_parent(w->root, scope, name);
    if (dir < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
    if (dir < 0 || fstat(dir, &st) < 0) fault(errno, scope, NULL);
    const char *slash = strrchr(scope, '/');
    if (slash != NULL) snprintf(above, sizeof above, "%.*s", (int)(slash - scope), scope);
    tree_add(w->into, above, &st)->marks = ABOVE;
    look_at(w, dir, name, scope, 0);
    close(dir);
  }
  tree_sort(w->into);
}
