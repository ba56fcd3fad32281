// SPDX-License-Identifier: Apache-2.0
#include "bundle.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SIGNATURE 16

bool is_bundle(int fd) {
  char line[SIGNATURE];
  size_t got = 0;
  while (got < sizeof line) {
    ssize_t n = read(fd, line + got, sizeof line - got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    got += (size_t)n;
  }
  if (lseek(fd, 0, SEEK_SET) < 0 || got < sizeof line) return false;
  return memcmp(line, "# v2 git bundle\n", SIGNATURE) == 0 || memcmp(line, "# v3 git bundle\n", SIGNATURE) == 0;
}
