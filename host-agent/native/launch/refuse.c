// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "refuse.h"

#include <unistd.h>

#include "../json-out.h"

_Noreturn void refuse(const char *step, int error) {
  struct json j;
  json_begin(&j);
  json_string(&j, "error", step);
  json_errno(&j, "errno", error);
  json_send(&j, REPORT_FD);
  _exit(REFUSED);
}

void tell_skipped(const char *path, int error) {
  struct json j;
  json_begin(&j);
  json_string(&j, "skipped", path);
  json_errno(&j, "errno", error);
  if (!json_send(&j, REPORT_FD)) _exit(REFUSED);
}
