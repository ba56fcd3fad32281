// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ends the program with status 1 and one JSON line on stderr. `what` is a sentence for the agent; NULL takes the one for `error`.
_Noreturn void fault(int error, const char *path, const char *what);

// The caller built a wrong command line: a fault of ours, not of the agent. Status 2.
_Noreturn void wrong_use(const char *what);
