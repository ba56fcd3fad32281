// SPDX-License-Identifier: Apache-2.0
// spawn: what starting a program costs when nothing stands between: fork, exec, wait, COUNT times, one after the other.
//
//   spawn COUNT [--profile NAME] [--report] -- PROGRAM ARG...
//
// Prints the microseconds of each run, one a line. --profile names the AppArmor profile that PROGRAM enters by its exec.
// --report gives it descriptor 3, a pipe that is read to its end, as a runner does with a call.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Noreturn static void fail(const char *what) {
  fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static void enter_profile(const char *name) {
  char text[256];
  int length = snprintf(text, sizeof text, "exec %s", name);
  int fd = open("/proc/self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, (size_t)length) != length) fail("the profile cannot be entered");
  close(fd);
}

static void become(char **command, const char *profile, int report) {
  int nothing = open("/dev/null", O_RDWR);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0) fail("/dev/null");
  if (report >= 0 && dup2(report, 3) < 0) fail("descriptor 3");
  if (profile != NULL) enter_profile(profile);
  execvp(command[0], command);
  fail(command[0]);
}

static double run(char **command, const char *profile, bool report) {
  struct timespec begun, ended;
  int ends[2] = {-1, -1};
  if (report && pipe2(ends, O_CLOEXEC) < 0) fail("pipe");
  // Descriptor 3 itself would be closed by the exec; dup2 onto itself would leave it so.
  if (ends[1] == 3 && (ends[1] = fcntl(3, F_DUPFD_CLOEXEC, 4)) < 0) fail("pipe");
  clock_gettime(CLOCK_MONOTONIC, &begun);
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) become(command, profile, ends[1]);
  if (report) {
    char told[4096];
    close(ends[1]);
    while (read(ends[0], told, sizeof told) > 0) continue;
    close(ends[0]);
  }
  int status;
  if (waitpid(child, &status, 0) < 0) fail("wait");
  clock_gettime(CLOCK_MONOTONIC, &ended);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "spawn: %s ended with status %d\n", command[0], status);
    _exit(1);
  }
  return (double)(ended.tv_sec - begun.tv_sec) * 1e6 + (double)(ended.tv_nsec - begun.tv_nsec) / 1e3;
}

int main(int argc, char **argv) {
  const char *profile = NULL;
  bool report = false;
  int i = 2;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--profile") == 0 && i + 1 < argc) profile = argv[++i];
    else if (strcmp(argv[i], "--report") == 0) report = true;
    else break;
  }
  if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
    fprintf(stderr, "usage: spawn COUNT [--profile NAME] [--report] -- PROGRAM ARG...\n");
    return 64;
  }
  for (int left = atoi(argv[1]); left > 0; left--) printf("%.1f\n", run(argv + i + 1, profile, report));
  return 0;
}
