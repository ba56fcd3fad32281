// SPDX-License-Identifier: Apache-2.0
// What a call tells the runner, on descriptor 3: JSON, one object a line, in this order.
//
//   {"skipped":PATH,"errno":NAME}       call-launch, any number: PATH could not be made visible
//   {"label":LABEL}                     call-init: the label was right and the deadline is armed; the command starts now
//   {"label":LABEL,"exit":N}            the command ended by itself; what it had left running was killed
//   {"label":LABEL,"signal":"SIGKILL"}  a signal ended it
//   {"label":LABEL,"deadline":true}     the deadline did
//   {"error":WHAT,"errno":NAME}         it did not start; WHAT is what could not be done (call-init adds its label)
//   {"label":LABEL,"error":"label"}     it had another label than it should
//
// A report that ends after {"label"} alone means that call-init itself was killed: the memory limit or the runner's own kill.
#pragma once
#include <stdint.h>

#define REPORT_FD 3

void report_started(const char *label);
void report_exit(const char *label, int64_t status);
void report_signal(const char *label, int signal);
void report_deadline(const char *label);
void report_error(const char *label, const char *what, int error);
void report_wrong_label(const char *label);
