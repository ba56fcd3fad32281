// SPDX-License-Identifier: Apache-2.0
// Opens each path that it is told and says what the kernel answered: `r PATH` or `w PATH` a line in, `ok` or the errno's name a line out.
// Static, so that under any profile nothing is asked of the kernel but these.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  char line[8192];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    int fd = open(line + 2, (line[0] == 'w' ? O_WRONLY : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    puts(fd >= 0 ? "ok" : strerrorname_np(errno));
    if (fd >= 0) close(fd);
  }
  return 0;
}
