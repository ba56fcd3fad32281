// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool is_plain(const char *path) {
  if (strcmp(path, ".") == 0) return true;
  for (const char *s = path;; s += strcspn(s, "/") + 1) {
    size_t n = strcspn(s, "/");
    if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.')) return false;
    if (s[n] == '\0') return true;
  }
}

static int resolve(int dir, const char *path, int flags, mode_t mode, unsigned long long how_far) {
  struct open_how how = {.flags = (unsigned long long)(unsigned int)(flags | O_CLOEXEC), .mode = mode, .resolve = how_far};
  long fd;
  do fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
  while (fd < 0 && errno == EINTR);
  return (int)fd;
}

int open_beneath(int root, const char *path, int flags, mode_t mode) {
  return resolve(root, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int open_child(int dir, const char *name, int flags) {
  return resolve(dir, name, flags | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

int open_parent(int root, const char *path, char name[NAME_MAX + 1]) {
  const char *slash = strrchr(path, '/');
  const char *last = slash == NULL ? path : slash + 1;
  if (strcmp(path, ".") == 0) {
    errno = EBUSY;
    return -1;
  }
  char dir[PATH_MAX];
  size_t n = slash == NULL ? 0 : (size_t)(slash - path);
  if (strlen(last) > NAME_MAX || n >= sizeof dir) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(name, last, strlen(last) + 1);
  memcpy(dir, path, n);
  dir[n] = '\0';
  return open_beneath(root, n == 0 ? "." : dir, O_RDONLY | O_DIRECTORY, 0);
}
