// SPDX-License-Identifier: Apache-2.0
// lift: the bundle of git PATH as the file --to, which must not be there yet. What made it is the agent's, so it may be anything.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "bundle.h"
#include "copy.h"
#include "fault.h"
#include "kind.h"

void op_lift(const struct ask *ask) {
  const char *to = ask_text(ask, "--to");
  if (to == NULL) wrong_use("lift needs --to");
  // A FIFO that nobody writes.
  int from = open_beneath(ask->root, ask->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  struct stat st;
  if (from < 0 || fstat(from, &st) < 0) fault(errno, ask->path, NULL);
  refuse_unless_regular(&st, ask->path);
  if (!is_bundle(from)) fault(EBADMSG, ask->path, "is no bundle of git");
  int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) fault(errno, to, NULL);
  int64_t bytes;
  struct copied copied = copy_bytes(from, fd, ask_number(ask, "--most-bytes", (int64_t)1 << 30), &bytes);
  if (copied.error != 0) fault(copied.error, ask->path, "could not be copied");
  if (!copied.end) fault(EFBIG, ask->path, "is more than can be got at once");
  if (close(fd) < 0) fault(errno, to, NULL);
  struct json j;
  json_begin(&j);
  json_number(&j, "bytes", bytes);
  json_send(&j, STDERR_FILENO);
}
