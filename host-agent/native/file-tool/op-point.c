// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "content.h"
#include "fault.h"
#include "store.h"
#include "walk.h"

#define TRIES 3
#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

struct keeping {
  struct store *store;
  int folder;
  int64_t number, oldest_needed, next, own, moving;
  int64_t most_bytes, bytes;
};

static bool unchanged(const struct stat *a, const struct stat *b) {
  return a->st_size == b->st_size && nanoseconds(a->st_ctim) == nanoseconds(b->st_ctim) && nanoseconds(a->st_mtim) == nanoseconds(b->st_mtim);
}

static int make_object(struct keeping *k, int from, char name[static 24]) {
  snprintf(name, 24, "%lld", (long long)k->next);
  for (;;) {
    int to = openat(k->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int error = to < 0 ? errno : content_keep(from, to);
    if (to >= 0) close(to);
    // Room is made by what is oldest, never by what this point refers to.
    if ((error != ENOSPC && error != EDQUOT) || !store_end_oldest(k->store, k->oldest_needed)) return error;
    if (lseek(from, 0, SEEK_SET) < 0) return errno;
  }
}

// One file, whole. One that changes meanwhile is tried again; at last what was had is kept, and marked.
static void keep(void *with, int fd, struct entry *file) {
  struct keeping *k = with;
  char name[24], object[64];
  struct stat before, after;
  bool still = false;
  for (int i = 0; i < TRIES && !still; i++) {
    if (fstat(fd, &before) < 0 || lseek(fd, 0, SEEK_SET) < 0) fault(errno, file->path, NULL);
    int error = make_object(k, fd, name);
    if (error != 0) fault(error, file->path, error == ENOSPC || error == EDQUOT ? "cannot be kept: no space is left" : NULL);
    if (fstat(fd, &after) < 0) fault(errno, file->path, NULL);
    still = unchanged(&before, &after);
  }
  if (!still) file->marks |= MOVING, k->moving++;
  file->mode = before.st_mode;
  file->size = before.st_size;
  file->mtime = nanoseconds(before.st_mtim);
  file->ctime = nanoseconds(before.st_ctim);
  k->next++;
  k->own += (int64_t)before.st_blocks * 512;
  k->bytes += before.st_size;
  if (k->bytes > k->most_bytes) fault(EFBIG, file->path, "makes this more than a restore point can hold");
  snprintf(object, sizeof object, "%lld/%s", (long long)k->number, name);
  file->object = keep_text(object);
}

// What can be changed by a call on `path`: the path itself, or the topmost directory above it that is not there yet. Where a link or
// a file stands in the way nothing is certain, and the answer is all.
static void find_scope(int root, const char *path, char scope[PATH_MAX]) {
  snprintf(scope, PATH_MAX, "%s", path);
  for (const char *end = path; strcmp(path, ".") != 0 && end != NULL;) {
    end = strchr(end == path ? end : end + 1, '/');
    int length = end == NULL ? (int)strlen(path) : (int)(end - path);
    snprintf(scope, PATH_MAX, "%.*s", length, path);
    int fd = open_beneath(root, scope, O_PATH | O_NOFOLLOW, 0);
    struct stat st;
    int error = fd < 0 || fstat(fd, &st) < 0 ? errno : 0;
    if (fd >= 0) close(fd);
    if (error == ENOENT) return;
    if (error != 0 || (end != NULL && !S_ISDIR(st.st_mode))) {
      snprintf(scope, PATH_MAX, ".");
      return;
    }
  }
}

static char *needed_text(const struct ask *ask, const char *name) {
  const char *text = ask_text(ask, name);
  if (text == NULL) wrong_use("an option of a restore point is missing");
  return keep_text(text);
}

// Count, age and size that are kept; the oldest go first.
static void end_old(struct store *store, const struct ask *ask, int64_t number, int64_t at, int64_t own) {
  int64_t most = ask_number(ask, "--most-points", 256), age = 30 * DAY_MS;
  int64_t room = ask_number(ask, "--most-bytes", (int64_t)16 << 30);
  for (size_t i = 0; i < store->count; i++) own += store->about[i].own;
  while (store->count > 0) {
    const struct about *oldest = &store->about[0];
    int64_t size = oldest->own;
    if ((int64_t)store->count + 1 <= most && own <= room && oldest->at + age >= at) return;
    if (!store_end_oldest(store, number)) return;
    own -= size;
  }
}

void op_point(const struct ask *ask) {
  struct store store = store_open(needed_text(ask, "--store"), true);
  struct about about = {.id = needed_text(ask, "--id"), .of = needed_text(ask, "--of"), .call = needed_text(ask, "--call"),
                        .session = needed_text(ask, "--session"), .tool = needed_text(ask, "--tool"), .at = ask_number(ask, "--at", 0)};
  if (store_find(&store, about.id) != NULL) fault(EEXIST, about.id, "is a restore point already");
  char scope[PATH_MAX];
  find_scope(ask->root, ask->path, scope);
  about.scope = keep_text(scope);
  // Points of one path keep their own contents: what refers to others is only ever a point of all (store.h).
  const struct about *newest = strcmp(scope, ".") == 0 ? store_newest_whole(&store, about.of) : NULL;
  struct tree before = {0}, now = {0};
  if (newest != NULL) store_read(&store, newest, &before);

  struct keeping keeping = {.store = &store, .most_bytes = ask_number(ask, "--most-bytes", (int64_t)16 << 30)};
  keeping.folder = store_begin(&store, &keeping.number);
  while (keeping.folder < 0 && (errno == ENOSPC || errno == EDQUOT) && store_end_oldest(&store, newest == NULL ? INT64_MAX : newest->number)) {
    keeping.folder = store_begin(&store, &keeping.number);
  }
  if (keeping.folder < 0) fault(errno, "restore points", NULL);
  keeping.oldest_needed = newest == NULL ? keeping.number : newest->number;
  struct walk w = {.root = ask->root, .known = {newest == NULL ? NULL : &before}, .into = &now,
                   .most_entries = ask_number(ask, "--most-entries", 200000), .visit = keep, .with = &keeping};
  walk(&w, scope);
  about.number = keeping.number;
  about.entries = (int64_t)now.count;
  about.own = keeping.own;
  about.moving = keeping.moving;
  int64_t kept = 0;
  for (size_t i = 0; i < now.count; i++) {
    const struct entry *e = &now.entries[i];
    about.bytes += e->size;
    if ((e->marks & UNREAD) != 0) about.unread++;
    if (strtoll(e->object, NULL, 10) == about.number) kept++;
  }
  if (about.bytes > keeping.most_bytes) fault(EFBIG, scope, "is more than a restore point can hold");
  store_complete(&store, keeping.folder, &about, &now);
  end_old(&store, ask, about.number, about.at, about.own);

  struct json j;
  json_begin(&j);
  json_number(&j, "entries", about.entries);
  json_number(&j, "bytes", about.bytes);
  json_number(&j, "kept", kept);
  json_number(&j, "unread", about.unread);
  json_number(&j, "moving", about.moving);
  json_string(&j, "scope", about.scope);
  json_send(&j, STDERR_FILENO);
}
