// SPDX-License-Identifier: Apache-2.0
// For tests: becomes a program under a filter of seccomp/, as call-init does with a command.
//
//   under-filter NAME PROGRAM ARG...        exit status 125: neither
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../seccomp-filter.h"

int main(int argc, char **argv) {
  if (argc < 3) return 125;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !seccomp_filter_load(argv[1])) perror(argv[1]);
  else execv(argv[2], argv + 2);
  return 125;
}
