// SPDX-License-Identifier: Apache-2.0
#pragma once

// As call-report.h has it: the runner reads it on descriptor 3.
#define REPORT_FD 3
// The status of a launcher whose call did not run.
#define REFUSED 125

// Tells the runner which step could not be done and the errno, and ends the process: nothing of a call runs in half a sandbox.
_Noreturn void refuse(const char *step, int error);
// Tells that a binding was left out.
void tell_skipped(const char *path, int error);
