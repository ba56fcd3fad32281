// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "fault.h"
#include "kind.h"

// `at` and `name` are where the target of a link is read: a directory and a name in it, or the link itself and "".
static void put_record(const struct stat *st, const char *shown, int at, const char *name) {
  char target[PATH_MAX] = "";
  if (S_ISLNK(st->st_mode)) {
    ssize_t n = readlinkat(at, name, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = '\0';
  }
  int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
  printf("%s%c%lld%c%lld%c%o%c", kind_of(st), 0, (long long)st->st_size, 0, (long long)mtime, 0, st->st_mode & 07777, 0);
  fwrite(shown, 1, strlen(shown) + 1, stdout);
  fwrite(target, 1, strlen(target) + 1, stdout);
}

static void flush_or_fault(const char *path) {
  if (fflush(stdout) != 0 || ferror(stdout)) fault(errno, path, "the result could not be handed on");
}

// Streamed and unsorted: a directory of millions of names costs no memory. Whoever shows it sorts it.
void op_list(const struct ask *ask) {
  int64_t max = ask_number(ask, "--max", 1000), entries = 0;
  int fd = open_beneath(ask->root, ask->path, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) fault(errno, ask->path, NULL);
  DIR *dir = fdopendir(fd);
  if (dir == NULL) fault(errno, ask->path, NULL);
  bool more = false;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (entry == NULL && errno != 0) fault(errno, ask->path, NULL);
    if (entry == NULL) break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (entries >= max) {
      more = true;
      break;
    }
    struct stat st;
    if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
      // Gone since readdir saw it.
      if (errno == ENOENT) continue;
      fault(errno, entry->d_name, NULL);
    }
    put_record(&st, entry->d_name, fd, entry->d_name);
    entries++;
  }
  flush_or_fault(ask->path);
  struct json j;
  json_begin(&j);
  json_number(&j, "entries", entries);
  json_bool(&j, "more", more);
  json_send(&j, STDERR_FILENO);
}

// With O_PATH and O_NOFOLLOW a link at the end is opened itself, and only there: openat2(2), RESOLVE_NO_SYMLINKS.
void op_stat(const struct ask *ask) {
  int fd = open_beneath(ask->root, ask->path, O_PATH | O_NOFOLLOW, 0);
  if (fd < 0) fault(errno, ask->path, NULL);
  struct stat st;
  if (fstat(fd, &st) < 0) fault(errno, ask->path, NULL);
  const char *slash = strrchr(ask->path, '/');
  put_record(&st, slash == NULL ? ask->path : slash + 1, fd, "");
  flush_or_fault(ask->path);
  struct json j;
  json_begin(&j);
  json_number(&j, "uid", st.st_uid);
  json_number(&j, "gid", st.st_gid);
  json_number(&j, "links", (int64_t)st.st_nlink);
  json_send(&j, STDERR_FILENO);
}
