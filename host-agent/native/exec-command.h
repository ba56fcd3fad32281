// SPDX-License-Identifier: Apache-2.0
#pragma once

// Becomes the command: own session, default signals, working directory, the filter of system calls, then execve. Returns only on
// failure, with errno set and *what naming the step.
void exec_command(const char *cwd, const char *filter, char **argv, const char **what);
