// SPDX-License-Identifier: Apache-2.0
// undo: makes of what changed from a point to a later one (or to now) what it was in the point.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "beneath.h"
#include "changes.h"
#include "content.h"
#include "fault.h"
#include "xattrs.h"

struct undo {
  struct comparison c;
  struct change *changes;
  size_t count;
  int64_t restored, removed, left, conflicts;
};

static void tell(const char *word, const char *path, const char *why) { printf("%s%c%s%c%s%c", word, 0, path, 0, why, 0); }

static void leave(struct undo *u, const char *path, int error) {
  const char *name = strerrorname_np(error);
  u->left++;
  tell("left", path, error == ENOENT ? "the directory it lay in is not there" : name == NULL ? "" : name);
}

// The directory in which a path lies. One that the agent shut is made writable; its mode is put right at the end.
static int open_above(const struct undo *u, const char *path, char name[NAME_MAX + 1]) {
  int dir = open_parent(u->c.ask->root, path, name);
  struct stat st;
  if (dir >= 0 && fstat(dir, &st) == 0 && (st.st_mode & 0300) != 0300) (void)fchmod(dir, (st.st_mode & 07777) | 0700);
  return dir;
}

// What is there now and must go: it was not there before, or something of another kind was.
static const struct entry *in_the_way(const struct change *c) {
  if (c->now == NULL || (c->now->mode & S_IFMT) == (c->before == NULL ? 0 : c->before->mode & S_IFMT)) return NULL;
  return c->now;
}

// Only names that were seen, and of directories only empty ones: what came meanwhile stays. What lies in a directory before it.
static void remove_new(struct undo *u) {
  for (size_t i = u->count; i-- > 0;) {
    const struct entry *e = in_the_way(&u->changes[i]);
    if (e == NULL || (e->marks & ABOVE) != 0) continue;
    char name[NAME_MAX + 1];
    int dir = open_above(u, e->path, name);
    int error = dir < 0 || unlinkat(dir, name, S_ISDIR(e->mode) ? AT_REMOVEDIR : 0) < 0 ? errno : 0;
    if (dir >= 0) close(dir);
    if (error == ENOENT || u->changes[i].before != NULL) continue;
    if (error != 0) {
      leave(u, e->path, error);
    } else {
      u->removed++;
      tell("removed", e->path, "");
    }
  }
}

static void times_of(const struct entry *e, struct timespec times[2]) {
  times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
  times[1] = (struct timespec){.tv_sec = e->mtime / 1000000000, .tv_nsec = e->mtime % 1000000000};
  // Before 1970.
  if (times[1].tv_nsec < 0) times[1].tv_sec--, times[1].tv_nsec += 1000000000;
}

static int set_facts(int fd, const struct entry *e) {
  struct timespec times[2];
  times_of(e, times);
  int error = xattrs_write(fd, e->xattrs);
  // Without set-id bits of files: content that is brought back gives nobody rights.
  if (error == 0 && fchmod(fd, e->mode & (S_ISDIR(e->mode) ? 03777 : 01777)) < 0) error = errno;
  if (error == 0 && futimens(fd, times) < 0) error = errno;
  return error;
}

static int make_file(const struct undo *u, int dir, const char *name, const struct entry *e) {
  if (e->object[0] == '\0') return ENODATA;
  int from = store_open_object(&u->c.store, e->object);
  if (from < 0) return errno;
  int to = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int error = to < 0 ? errno : content_keep(from, to);
  struct stat st;
  // A content that is not as long as its list says is not the one that was kept.
  if (error == 0 && (fstat(to, &st) < 0 || st.st_size != e->size)) error = EBADMSG;
  if (error == 0) error = set_facts(to, e);
  close(from);
  if (to >= 0) close(to);
  return error;
}

static int make_special(int dir, const char *name, const struct entry *e) {
  struct timespec times[2];
  times_of(e, times);
  if (S_ISLNK(e->mode)) {
    if (symlinkat(e->target, dir, name) < 0) return errno;
  } else if (S_ISFIFO(e->mode) || S_ISSOCK(e->mode)) {
    if (mknodat(dir, name, e->mode & (S_IFMT | 0777), 0) < 0 || fchmodat(dir, name, e->mode & 0777, AT_SYMLINK_NOFOLLOW) < 0) return errno;
  } else {
    return EPERM;
  }
  return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
}

static int temporary_name(char name[48]) {
  uint64_t number;
  if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) return EIO;
  snprintf(name, 48, ".holdfast-undo-%016llx", (unsigned long long)number);
  return 0;
}

// Whole or not at all, also after a crash: made beside it and renamed over it. A link put in its place meanwhile is replaced.
static int replace(const struct undo *u, const struct entry *e) {
  char name[NAME_MAX + 1], temporary[48];
  int dir = open_above(u, e->path, name);
  if (dir < 0) return errno;
  int error = temporary_name(temporary);
  if (error == 0) error = S_ISREG(e->mode) ? make_file(u, dir, temporary, e) : make_special(dir, temporary, e);
  if (error == 0 && renameat(dir, temporary, dir, name) < 0) error = errno;
  if (error != 0) unlinkat(dir, temporary, 0);
  close(dir);
  return error;
}

static bool only_facts_differ(const struct undo *u, const struct change *c) {
  const struct entry *a = c->before, *b = c->now;
  return b != NULL && S_ISREG(a->mode) && S_ISREG(b->mode) && (b->marks & UNREAD) == 0 && comparison_same_content(&u->c, a, b);
}

static int set_facts_at(const struct undo *u, const struct entry *e, int flags) {
  int fd = open_beneath(u->c.ask->root, e->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | flags, 0);
  if (fd < 0) return errno;
  int error = set_facts(fd, e);
  close(fd);
  return error;
}

static int make_directory(const struct undo *u, const struct change *c) {
  if (c->now != NULL && S_ISDIR(c->now->mode)) return 0;
  char name[NAME_MAX + 1];
  int dir = open_above(u, c->before->path, name);
  // Mode and time when all that lies in it is back.
  int error = dir < 0 || mkdirat(dir, name, 0700) < 0 ? errno : 0;
  if (dir >= 0) close(dir);
  return error;
}

// Directories before what lies in them.
static void bring_back(struct undo *u) {
  for (size_t i = 0; i < u->count; i++) {
    const struct change *c = &u->changes[i];
    const struct entry *e = c->before;
    if (e == NULL || (e->marks & ABOVE) != 0) continue;
    int error = S_ISDIR(e->mode) ? make_directory(u, c) : 0;
    if (!S_ISDIR(e->mode) && (!only_facts_differ(u, c) || set_facts_at(u, e, 0) != 0)) error = replace(u, e);
    if (error != 0) {
      leave(u, e->path, error);
    } else if (c->difference == CHANGED || !S_ISDIR(e->mode)) {
      u->restored++;
      tell("restored", e->path, "");
    }
  }
}

static int by_inode(const void *a, const void *b) {
  const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
  return (x->ino > y->ino) - (x->ino < y->ino);
}

// Only where both are now what they were: a file that was changed since keeps what it is.
static void make_one(const struct undo *u, const struct entry *leader, const struct entry *e) {
  char one[NAME_MAX + 1], other[NAME_MAX + 1], temporary[48];
  struct stat a, b;
  int from = open_parent(u->c.ask->root, leader->path, one), to = open_parent(u->c.ask->root, e->path, other);
  bool there = from >= 0 && to >= 0 && fstatat(from, one, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(to, other, &b, AT_SYMLINK_NOFOLLOW) == 0;
  bool same = there && S_ISREG(a.st_mode) && S_ISREG(b.st_mode) && a.st_size == leader->size && b.st_size == e->size &&
              nanoseconds(a.st_mtim) == leader->mtime && nanoseconds(b.st_mtim) == e->mtime && a.st_ino != b.st_ino;
  if (same && temporary_name(temporary) == 0 && linkat(from, one, to, temporary, 0) == 0 && renameat(to, temporary, to, other) < 0) {
    unlinkat(to, temporary, 0);
  }
  if (from >= 0) close(from);
  if (to >= 0) close(to);
}

// Files that were one file under several names are one again.
static void link_again(struct undo *u) {
  const struct tree *before = &u->c.before;
  const struct entry **linked = calloc(before->count + 1, sizeof *linked);
  if (linked == NULL) fault(ENOMEM, ".", NULL);
  size_t n = 0;
  for (size_t i = 0; i < before->count; i++) {
    if (S_ISREG(before->entries[i].mode) && before->entries[i].links > 1) linked[n++] = &before->entries[i];
  }
  if (n > 1) qsort(linked, n, sizeof *linked, by_inode);
  for (size_t i = 1, leader = 0; i < n; i++) {
    if (linked[i]->ino != linked[leader]->ino) leader = i;
    else make_one(u, linked[leader], linked[i]);
  }
  free(linked);
}

// Last, from the deepest: whatever was done in a directory has changed its time.
static void settle_directories(struct undo *u) {
  const struct tree *before = &u->c.before;
  bool *touched = calloc(before->count + 1, sizeof *touched);
  if (touched == NULL) fault(ENOMEM, ".", NULL);
  for (size_t i = 0; i < u->count; i++) {
    const struct change *c = &u->changes[i];
    char above[PATH_MAX];
    strcpy(above, c->before != NULL ? c->before->path : c->after != NULL ? c->after->path : c->now->path);
    for (int k = 0; k < 2; k++) {
      const struct entry *dir = tree_find(before, above);
      if (dir != NULL && S_ISDIR(dir->mode)) touched[dir - before->entries] = true;
      char *slash = strrchr(above, '/');
      strcpy(slash == NULL ? above : slash, slash == NULL ? "." : "");
    }
  }
  for (size_t i = before->count; i-- > 0;) {
    const struct entry *e = &before->entries[i];
    if (!touched[i] || (e->marks & UNREAD) != 0) continue;
    struct timespec times[2];
    times_of(e, times);
    int fd = open_beneath(u->c.ask->root, e->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) continue;
    if ((e->marks & ABOVE) != 0) (void)futimens(fd, times);
    else (void)set_facts(fd, e);
    close(fd);
  }
  free(touched);
}

static const struct entry *either(const struct change *c) { return c->before != NULL ? c->before : c->after != NULL ? c->after : c->now; }

// A directory's time follows from what is done in it.
static bool is_told(const struct change *c) { return c->difference == CHANGED || !S_ISDIR(either(c)->mode); }

// What was not changed by what is undone is not among the changes; what was, and was changed once more since, is in conflict.
static void choose(struct undo *u) {
  bool force = ask_flag(u->c.ask, "--force");
  size_t kept = 0;
  for (size_t i = 0; i < u->count; i++) {
    struct change *c = &u->changes[i];
    if (c->since && is_told(c)) {
      u->conflicts++;
      tell("conflict", either(c)->path, "");
      if (!force) continue;
    }
    if (!c->undone) u->changes[kept++] = *c;
  }
  u->count = kept;
}

static void foretell(struct undo *u) {
  for (size_t i = 0; i < u->count; i++) {
    const struct change *c = &u->changes[i];
    if (!is_told(c)) continue;
    *(c->before == NULL ? &u->removed : &u->restored) += 1;
    tell(c->before == NULL ? "removed" : "restored", either(c)->path, "");
  }
}

void op_undo(const struct ask *ask) {
  struct undo u = {0};
  bool act = !ask_flag(ask, "--dry-run");
  comparison_open(&u.c, ask, act);
  u.changes = comparison_changes(&u.c, &u.count);
  choose(&u);
  if (u.conflicts > 0 && !ask_flag(ask, "--force")) act = false;
  if (act) {
    remove_new(&u);
    bring_back(&u);
    link_again(&u);
    settle_directories(&u);
    int fd = open_beneath(ask->root, ".", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 || syncfs(fd) < 0) fault(errno, ask->path, "was undone, but the disk did not confirm it");
  } else {
    foretell(&u);
  }
  if (fflush(stdout) != 0 || ferror(stdout)) fault(errno, ask->path, "the result could not be handed on");
  struct json j;
  json_begin(&j);
  json_bool(&j, "done", act);
  json_number(&j, "restored", u.restored);
  json_number(&j, "removed", u.removed);
  json_number(&j, "left", u.left);
  json_number(&j, "conflicts", u.conflicts);
  json_number(&j, "unread", u.c.unread);
  json_send(&j, STDERR_FILENO);
}
