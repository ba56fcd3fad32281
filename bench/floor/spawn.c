// SPDX-License-Identifier: Apache-2.0
// spawn: what starting a program costs when nothing stands between: fork, exec, wait, COUNT times, one after the other.
//
//   spawn COUNT [--profile NAME] [--report] [--words FILE [--ahead MS]] -- PROGRAM ARG...
//
// Prints the microseconds of each run, one a line. --profile names the AppArmor profile that PROGRAM enters by its exec.
// --report gives it descriptor 3, a pipe that is read to its end, as a runner does with a call; --words FILE as descriptor 4.
// --ahead MS starts it that long before its words come through a pipe: what is timed begins with them.
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

struct options {
  const char *profile, *words;
  bool report;
  int ahead;
};

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

static void become(char **command, const char *profile, int report, int words) {
  int nothing = open("/dev/null", O_RDWR);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0) fail("/dev/null");
  if (report >= 0 && dup2(report, 3) < 0) fail("descriptor 3");
  if (words >= 0 && dup2(words, 4) < 0) fail("descriptor 4");
  if (profile != NULL) enter_profile(profile);
  execvp(command[0], command);
  fail(command[0]);
}

// Descriptors 3 and 4 are the program's: dup2 of one onto itself would leave it close-on-exec.
static int above(int fd) {
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, 5);
  if (fd < 0 || moved < 0) fail("descriptor");
  close(fd);
  return moved;
}

static void pipe_above(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) < 0) fail("pipe");
  for (int i = 0; i < 2; i++) ends[i] = above(ends[i]);
}

static void pass_on(const char *file, int to) {
  static char text[65536];
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
  if (n <= 0 || write(to, text, (size_t)n) != n) fail(file);
  close(fd);
  close(to);
}

static double run(char **command, const struct options *o) {
  struct timespec begun, ended;
  int report[2] = {-1, -1}, words[2] = {-1, -1};
  if (o->report) pipe_above(report);
  if (o->ahead > 0) pipe_above(words);
  else if (o->words != NULL) words[0] = above(open(o->words, O_RDONLY | O_CLOEXEC));
  clock_gettime(CLOCK_MONOTONIC, &begun);
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) become(command, o->profile, report[1], words[0]);
  if (words[0] >= 0) close(words[0]);
  if (o->ahead > 0) {
    usleep((useconds_t)o->ahead * 1000);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    pass_on(o->words, words[1]);
  }
  if (o->report) {
    char told[4096];
    close(report[1]);
    while (read(report[0], told, sizeof told) > 0) continue;
    close(report[0]);
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
  struct options o = {0};
  int i = 2;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--profile") == 0 && i + 1 < argc) o.profile = argv[++i];
    else if (strcmp(argv[i], "--words") == 0 && i + 1 < argc) o.words = argv[++i];
    else if (strcmp(argv[i], "--ahead") == 0 && i + 1 < argc) o.ahead = atoi(argv[++i]);
    else if (strcmp(argv[i], "--report") == 0) o.report = true;
    else break;
  }
  if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
    fprintf(stderr, "usage: spawn COUNT [--profile NAME] [--report] [--words FILE [--ahead MS]] -- PROGRAM ARG...\n");
    return 64;
  }
  for (int left = atoi(argv[1]); left > 0; left--) printf("%.1f\n", run(argv + i + 1, &o));
  return 0;
}
