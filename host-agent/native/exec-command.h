// SPDX-License-Identifier: Apache-2.0
#pragma once

// Becomes the command: own session, default signals, working directory, then execve. Returns only on failure, with errno set
// and *what naming the step.
void exec_command(const char *cwd, char **argv, const char **what);
