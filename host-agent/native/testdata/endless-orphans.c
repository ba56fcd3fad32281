// SPDX-License-Identifier: Apache-2.0
// Linked into call-init in place of waitpid and kill: orphans that end faster than they are reaped, on any machine. Nothing is killed,
// since the test's call-init is PID 1 of nothing.
#include <sys/types.h>

pid_t endless_waitpid(pid_t pid, int *status, int options);
int no_kill(pid_t pid, int signal);

pid_t endless_waitpid(pid_t pid, int *status, int options) {
  (void)pid;
  (void)options;
  *status = 0;
  return 0x7ffffff0;
}

int no_kill(pid_t pid, int signal) {
  (void)pid;
  (void)signal;
  return 0;
}
