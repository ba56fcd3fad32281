// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "content.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"

static int copy_with_holes(int from, int to) {
  struct stat st;
  // What somebody writes through a mapping changes no time until its pages are clean.
  if (fdatasync(from) < 0 && errno != EINVAL && errno != EROFS) return errno;
  if (fstat(from, &st) < 0) return errno;
  for (off_t at = 0; at < st.st_size;) {
    off_t data = lseek(from, at, SEEK_DATA);
    // A hole up to the end.
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return errno;
    off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0) return errno;
    if (lseek(from, data, SEEK_SET) < 0 || lseek(to, data, SEEK_SET) < 0) return errno;
    int64_t bytes;
    struct copied copied = copy_bytes(from, to, hole - data, &bytes);
    if (copied.error != 0) return copied.error;
    at = hole;
  }
  return ftruncate(to, st.st_size) < 0 || fsync(to) < 0 ? errno : 0;
}

int content_keep(int from, int to) {
  if (ioctl(to, FICLONE, from) == 0) return 0;
  switch (errno) {
    case EOPNOTSUPP:
    case ENOTTY:
    case EXDEV:
    case EINVAL:
      return copy_with_holes(from, to);
    default:
      return errno;
  }
}

static ssize_t read_full(int fd, char *buffer, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = read(fd, buffer + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += (size_t)n;
  }
  return (ssize_t)done;
}

int content_same(int a, int b, bool *same) {
  static char one[64 * 1024], other[64 * 1024];
  *same = false;
  for (;;) {
    ssize_t n = read_full(a, one, sizeof one), m = read_full(b, other, sizeof other);
    if (n < 0 || m < 0) return errno;
    if (n != m || memcmp(one, other, (size_t)n) != 0) return 0;
    if (n == 0) break;
  }
  *same = true;
  return 0;
}
