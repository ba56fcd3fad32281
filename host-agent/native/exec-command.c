// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "exec-command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seccomp-filter.h"
#include "signals.h"
#include "terminal.h"

extern char **environ;

// Not execvp: it hands a file that is no program to /bin/sh, and a call is an argument vector, never a shell line (A21).
static void exec_in_path(char **argv) {
  const char *path = getenv("PATH");
  int error = ENOENT;
  if (path == NULL) path = "/usr/bin";
  while (*path != '\0') {
    size_t n = strcspn(path, ":");
    char file[PATH_MAX];
    int length = snprintf(file, sizeof file, "%.*s/%s", (int)n, path, argv[0]);
    // An empty or relative part would search the working directory, which the agent can write.
    if (path[0] == '/' && length > 0 && (size_t)length < sizeof file) {
      execve(file, argv, environ);
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
      if (error != ENOENT && error != EACCES) break;
    }
    path += n + (path[n] == ':');
  }
  errno = error;
}

void exec_command(const char *cwd, const char *filter, char **argv, const char **what) {
  *what = "signals";
  if (!signals_fresh()) return;
  *what = "session";
  if (setsid() < 0) return;
  *what = "terminal";
  if (!terminal_take()) return;
  *what = "cwd";
  if (chdir(cwd) < 0) return;
  // Last: what comes before it, and PID 1, which outlives it, need not be allowed what the command is refused.
  *what = "filter";
  if (!seccomp_filter_load(filter)) return;
  *what = "command";
  if (argv[0][0] == '\0') errno = ENOENT;
  else if (strchr(argv[0], '/') != NULL) execve(argv[0], argv, environ);
  else exec_in_path(argv);
}
