// SPDX-License-Identifier: Apache-2.0
#include "copy.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

struct copied copy_bytes(int from, int to, int64_t max, int64_t *bytes) {
  static char buffer[64 * 1024];
  *bytes = 0;
  while (*bytes < max) {
    size_t want = max - *bytes < (int64_t)sizeof buffer ? (size_t)(max - *bytes) : sizeof buffer;
    ssize_t got = read(from, buffer, want);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return (struct copied){.error = errno, .reading = true};
    if (got == 0) return (struct copied){.end = true};
    for (ssize_t done = 0; done < got;) {
      ssize_t n = write(to, buffer + done, (size_t)(got - done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return (struct copied){.error = errno};
      // POSIX allows zero only for a zero count; looping on it would never end.
      if (n == 0) return (struct copied){.error = EIO};
      done += n;
      *bytes += n;
    }
  }
  char one;
  ssize_t more;
  do more = read(from, &one, 1);
  while (more < 0 && errno == EINTR);
  return (struct copied){.end = more == 0};
}
