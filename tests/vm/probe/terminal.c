// SPDX-License-Identifier: Apache-2.0
// A static program that a test types into a shell: it tries what is forbidden with a terminal (C14) and prints what the kernel said.
//
//   terminal ACT PATH [ACT PATH]...     one line each: ACT PATH ok|ERRNO
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int act(const char *name, int fd) {
  char byte = '\n', code = 2;
  if (!strcmp(name, "open")) return 0;
  // Types into the terminal as if its reader had.
  if (!strcmp(name, "sti")) return ioctl(fd, TIOCSTI, &byte);
  // Pastes, on a console.
  if (!strcmp(name, "linux")) return ioctl(fd, TIOCLINUX, &code);
  // What the kernel says on the console comes here.
  if (!strcmp(name, "cons")) return ioctl(fd, TIOCCONS);
  if (!strcmp(name, "size")) {
    struct winsize size = {.ws_row = 7, .ws_col = 77};
    return ioctl(fd, TIOCSWINSZ, &size);
  }
  fprintf(stderr, "terminal: unknown act %s\n", name);
  exit(64);
}

// Another session takes the terminal of this one.
static int steal(int fd) {
  pid_t child = fork();
  if (child == 0) _exit(setsid() < 0 ? 1 : ioctl(fd, TIOCSCTTY, 1) < 0 ? errno : 0);
  int status = 0;
  waitpid(child, &status, 0);
  errno = WEXITSTATUS(status);
  return errno == 0 ? 0 : -1;
}

int main(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    int fd = open(argv[i + 1], O_RDWR | O_NOCTTY | O_CLOEXEC);
    int r = fd < 0 ? -1 : !strcmp(argv[i], "steal") ? steal(fd) : act(argv[i], fd);
    printf("%s %s %s\n", argv[i], argv[i + 1], r >= 0 ? "ok" : strerrorname_np(errno));
    fflush(stdout);
    if (fd >= 0) close(fd);
  }
  return 0;
}
