// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "call-report.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "json-out.h"

static void begin(struct json *j, const char *label) {
  json_begin(j);
  json_string(j, "label", label);
}

void report_started(const char *label) {
  struct json j;
  begin(&j, label);
  json_send(&j, REPORT_FD);
}

void report_exit(const char *label, int64_t status) {
  struct json j;
  begin(&j, label);
  json_number(&j, "exit", status);
  json_send(&j, REPORT_FD);
}

void report_signal(const char *label, int signal) {
  struct json j;
  char name[32];
  const char *abbreviation = sigabbrev_np(signal);
  if (abbreviation != NULL) snprintf(name, sizeof name, "SIG%s", abbreviation);
  else snprintf(name, sizeof name, "SIG%d", signal);
  begin(&j, label);
  json_string(&j, "signal", name);
  json_send(&j, REPORT_FD);
}

void report_deadline(const char *label) {
  struct json j;
  begin(&j, label);
  json_bool(&j, "deadline", true);
  json_send(&j, REPORT_FD);
}

void report_error(const char *label, const char *what, int error) {
  struct json j;
  begin(&j, label);
  json_string(&j, "error", what);
  json_errno(&j, "errno", error);
  json_send(&j, REPORT_FD);
}

void report_wrong_label(const char *label) {
  struct json j;
  begin(&j, label);
  json_string(&j, "error", "label");
  json_send(&j, REPORT_FD);
}
