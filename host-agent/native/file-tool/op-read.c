// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "copy.h"
#include "fault.h"
#include "kind.h"

void op_read(const struct ask *ask) {
  int64_t offset = ask_number(ask, "--offset", 0), max = ask_number(ask, "--max", INT64_MAX);
  // O_NONBLOCK: a FIFO without a writer must not hold the call until its deadline.
  int fd = open_beneath(ask->root, ask->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  if (fd < 0) fault(errno, ask->path, NULL);
  struct stat st;
  if (fstat(fd, &st) < 0) fault(errno, ask->path, NULL);
  refuse_unless_regular(&st, ask->path);
  if (offset > 0 && lseek(fd, offset, SEEK_SET) < 0) fault(errno, ask->path, NULL);
  int64_t bytes = 0;
  struct copied copied = copy_bytes(fd, STDOUT_FILENO, max, &bytes);
  if (copied.error != 0) fault(copied.error, ask->path, copied.reading ? NULL : "the content could not be handed on");
  struct json j;
  json_begin(&j);
  json_number(&j, "size", st.st_size);
  json_number(&j, "offset", offset);
  json_number(&j, "bytes", bytes);
  json_bool(&j, "end", copied.end);
  json_send(&j, STDERR_FILENO);
}
