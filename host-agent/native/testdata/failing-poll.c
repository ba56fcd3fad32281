// SPDX-License-Identifier: Apache-2.0
// Linked into call-init in place of poll: it fails half a second after the command was started, as it does where a process of the call has
// lowered how many files PID 1 may have open.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <time.h>

int failing_poll(struct pollfd *fds, nfds_t n, int timeout);

int failing_poll(struct pollfd *fds, nfds_t n, int timeout) {
  static int calls;
  (void)timeout;
  // The first tells that the command was executed.
  calls += 1;
  if (calls == 1) return ppoll(fds, n, NULL, NULL);
  const struct timespec half_a_second = {.tv_nsec = 500000000};
  nanosleep(&half_a_second, NULL);
  errno = EINVAL;
  return -1;
}
