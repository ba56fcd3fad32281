// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "copy.h"
#include "fault.h"
#include "kind.h"

static void tell(int64_t bytes, bool created) {
  struct json j;
  json_begin(&j);
  json_number(&j, "bytes", bytes);
  json_bool(&j, "created", created);
  json_send(&j, STDERR_FILENO);
}

// The mode that the new content takes over, or -1 when there is nothing under that name. Anything but a regular file is refused.
static int mode_of_old(const struct ask *ask, int dir, const char *name) {
  int fd = open_child(dir, name, O_PATH);
  if (fd < 0 && errno == ENOENT) return -1;
  if (fd < 0) fault(errno, ask->path, NULL);
  struct stat st;
  if (fstat(fd, &st) < 0) fault(errno, ask->path, NULL);
  close(fd);
  refuse_unless_regular(&st, ask->path);
  // A rename needs no right to the file itself; a file that is read-only for this uid is to stay.
  if (faccessat(dir, name, W_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) < 0) fault(errno, ask->path, NULL);
  // Without set-id bits: the content is no longer the one they were given for.
  return (int)(st.st_mode & 0777);
}

_Noreturn static void abandon(int dir, const char *temporary, int error, const char *path) {
  unlinkat(dir, temporary, 0);
  fault(error, path, NULL);
}

// Whole or not at all: readers see the old content or the new one, also after a crash. A call killed at its deadline may leave
// the temporary file behind, never a half-written target.
static void write_whole(const struct ask *ask, bool replace) {
  char name[NAME_MAX + 1], temporary[48];
  uint64_t number;
  int dir = open_parent(ask->root, ask->path, name);
  if (dir < 0) fault(errno, ask->path, NULL);
  int mode = mode_of_old(ask, dir, name);
  if (mode >= 0 && !replace) fault(EEXIST, ask->path, NULL);
  if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) fault(EIO, ask->path, NULL);
  snprintf(temporary, sizeof temporary, ".holdfast-write-%016llx", (unsigned long long)number);
  int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode >= 0 ? 0600 : 0666);
  if (fd < 0) fault(errno, ask->path, NULL);
  int64_t bytes;
  struct copied copied = copy_bytes(STDIN_FILENO, fd, INT64_MAX, &bytes);
  if (copied.error != 0) abandon(dir, temporary, copied.error, ask->path);
  if (mode >= 0 && fchmod(fd, (mode_t)mode) < 0) abandon(dir, temporary, errno, ask->path);
  if (fsync(fd) < 0 || close(fd) < 0) abandon(dir, temporary, errno, ask->path);
  // A link put in the target's place meanwhile is replaced, not followed; NOREPLACE keeps what someone else created meanwhile.
  if (renameat2(dir, temporary, dir, name, replace ? 0 : RENAME_NOREPLACE) < 0) abandon(dir, temporary, errno, ask->path);
  if (fsync(dir) < 0) fault(errno, ask->path, "was written, but the disk did not confirm its name");
  tell(bytes, mode < 0);
}

// What an append that failed half way added is taken back, unless somebody else has appended since.
_Noreturn static void take_back(int fd, int64_t size, int64_t added, int error, const char *path) {
  struct stat st;
  if (fstat(fd, &st) == 0 && st.st_size == size + added && ftruncate(fd, size) == 0) fault(error, path, NULL);
  fault(error, path, "a part of the content was appended before the write failed");
}

static void append(const struct ask *ask) {
  bool created = false;
  int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
  int fd = open_beneath(ask->root, ask->path, flags, 0);
  if (fd < 0 && errno == ENOENT) {
    fd = open_beneath(ask->root, ask->path, flags | O_CREAT, 0666);
    created = fd >= 0;
  }
  // A FIFO that nobody reads.
  if (fd < 0 && errno == ENXIO) fault(EINVAL, ask->path, "is no regular file; it has no content to use");
  if (fd < 0) fault(errno, ask->path, NULL);
  struct stat st;
  if (fstat(fd, &st) < 0) fault(errno, ask->path, NULL);
  refuse_unless_regular(&st, ask->path);
  int64_t bytes;
  struct copied copied = copy_bytes(STDIN_FILENO, fd, INT64_MAX, &bytes);
  if (copied.error != 0) take_back(fd, st.st_size, bytes, copied.error, ask->path);
  if (fsync(fd) < 0) fault(errno, ask->path, "was appended to, but the disk did not confirm it");
  tell(bytes, created);
}

void op_write(const struct ask *ask) {
  const char *mode = ask_text(ask, "--mode");
  if (mode == NULL) wrong_use("write needs --mode create, replace or append");
  else if (strcmp(mode, "append") == 0) append(ask);
  else if (strcmp(mode, "replace") == 0) write_whole(ask, true);
  else if (strcmp(mode, "create") == 0) write_whole(ask, false);
  else wrong_use("write needs --mode create, replace or append");
}
