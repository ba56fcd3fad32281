// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "fault.h"

// One descriptor is held for each level, of the call's 1024 (R37).
#define DEPTH_MAX 256

static int64_t removed = 0;

// Tries the name as it is. Zero, or the errno; EISDIR for a directory, empty or not.
static int remove_name(int dir, const char *name) {
  if (unlinkat(dir, name, 0) == 0) {
    removed++;
    return 0;
  }
  return errno;
}

static int remove_empty(int dir, const char *name) {
  if (unlinkat(dir, name, AT_REMOVEDIR) < 0) return errno;
  removed++;
  return 0;
}

static int remove_tree(int dir, const char *name, int depth);

// What lies in an open directory. Names that came after readdir passed are found by the next round; one round without a
// removal ends it. A name is unlinked, never followed, so that what it is swapped for meanwhile stays (A10).
static int empty_directory(int fd, int depth) {
  DIR *entries = fdopendir(fd);
  if (entries == NULL) {
    int error = errno;
    close(fd);
    return error;
  }
  int error = 0;
  for (bool again = true; again && error == 0;) {
    again = false;
    rewinddir(entries);
    const struct dirent *entry;
    while (error == 0 && (errno = 0, entry = readdir(entries)) != NULL) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      error = remove_tree(fd, entry->d_name, depth + 1);
      if (error == 0) again = true;
      if (error == ENOENT) error = 0;
    }
    if (error == 0 && errno != 0 && errno != ENOENT) error = errno;
  }
  closedir(entries);
  return error;
}

static int remove_tree(int dir, const char *name, int depth) {
  int error = remove_name(dir, name);
  // EPERM is what POSIX has for a directory here; the kernel says EISDIR.
  if (error != EISDIR) return error;
  error = remove_empty(dir, name);
  if (error != ENOTEMPTY && error != EEXIST) return error;
  if (depth >= DEPTH_MAX) return EMLINK;
  int fd = open_child(dir, name, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return errno;
  error = empty_directory(fd, depth);
  return error == 0 ? remove_empty(dir, name) : error;
}

void op_delete(const struct ask *ask) {
  char name[NAME_MAX + 1];
  int dir = open_parent(ask->root, ask->path, name);
  if (dir < 0) fault(errno, ask->path, NULL);
  int error;
  struct stat was;
  if (fstat(dir, &was) < 0) fault(errno, ask->path, NULL);
  if (ask_flag(ask, "--recursive")) {
    error = remove_tree(dir, name, 0);
  } else {
    error = remove_name(dir, name);
    if (error == EISDIR) error = remove_empty(dir, name);
  }
  if (error == EMLINK) fault(error, ask->path, "lies deeper than 256 directories; delete its lower parts first");
  if (error != 0) fault(error, ask->path, removed > 0 ? "a part of it could not be deleted; the rest is gone" : NULL);
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, was.st_mtim};
  if (ask_flag(ask, "--keep-time") && futimens(dir, times) < 0) fault(errno, ask->path, "was deleted, but its directory has another time");
  struct json j;
  json_begin(&j);
  json_number(&j, "removed", removed);
  json_send(&j, STDERR_FILENO);
}
