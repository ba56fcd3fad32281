// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct copied {
  int error;     // 0, or errno
  bool reading;  // the error was on the reading side
  bool end;      // the end of the source was seen
};

// At most `max` bytes; *bytes counts those written, also before an error.
struct copied copy_bytes(int from, int to, int64_t max, int64_t *bytes);
