// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "cgroup-join.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int cgroup_join(const char *dir) {
  int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  int procs = openat(fd, "cgroup.procs", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  int error = procs < 0 ? errno : 0;
  close(fd);
  if (procs < 0) return error;
  // "0" is the writer itself. The kernel takes the whole number in one write or refuses it.
  ssize_t n;
  do n = write(procs, "0", 1);
  while (n < 0 && errno == EINTR);
  if (n != 1) error = n < 0 ? errno : EIO;
  close(procs);
  return error;
}
