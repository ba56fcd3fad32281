// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "kind.h"

#include <errno.h>
#include <stdio.h>

#include "fault.h"

const char *kind_of(const struct stat *st) {
  switch (st->st_mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "link";
    case S_IFIFO:
      return "fifo";
    case S_IFSOCK:
      return "socket";
    case S_IFBLK:
      return "block";
    case S_IFCHR:
      return "character";
    default:
      return "unknown";
  }
}

void refuse_unless_regular(const struct stat *st, const char *path) {
  if (S_ISREG(st->st_mode)) return;
  if (S_ISDIR(st->st_mode)) fault(EISDIR, path, NULL);
  if (S_ISLNK(st->st_mode)) fault(ELOOP, path, NULL);
  char what[80];
  snprintf(what, sizeof what, "is no regular file but a special one (%s); it has no content to use", kind_of(st));
  fault(EINVAL, path, what);
}
