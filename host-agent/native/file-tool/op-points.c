// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "fault.h"
#include "store.h"

static void put(const char *text) { fwrite(text, 1, strlen(text) + 1, stdout); }

void op_points(const struct ask *ask) {
  const char *path = ask_text(ask, "--store");
  if (path == NULL) wrong_use("--store is missing");
  struct store store = store_open(path, false);
  for (size_t i = 0; i < store.count; i++) {
    const struct about *a = &store.about[i];
    put(a->id), put(a->of), put(a->scope), put(a->call), put(a->session), put(a->tool);
    const int64_t numbers[] = {a->at, a->entries, a->bytes, a->own, a->unread, a->moving};
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) printf("%lld%c", (long long)numbers[n], 0);
  }
  if (fflush(stdout) != 0) fault(errno, path, "the result could not be handed on");
  struct json j;
  json_begin(&j);
  json_number(&j, "points", (int64_t)store.count);
  json_send(&j, STDERR_FILENO);
}
