// SPDX-License-Identifier: Apache-2.0
// The terminal of a call that has one: a pair of the call's own devpts, so that no name and no descriptor of it leads out of the call's
// mounts, and none of the machine's terminals into them. PID 1 keeps the master and passes bytes between it and the call's pipes;
// whoever watches from outside has pipes, as with every call.
//
// Nothing is lost: what the runner does not take stays in the pair, and the program waits (a flood costs the call, not the machine).
#pragma once
#include <poll.h>
#include <stdbool.h>

#define TERMINAL_FDS 3

// SIZE is COLUMNSxROWS. False with errno when there is none to be had.
bool terminal_open(const char *size);
// In the child, after setsid: becomes the controlling terminal and descriptors 0, 1, 2. True where the call has no terminal.
bool terminal_take(void);
// What to wait for, and what to do then. The end of the input hangs the terminal up, which its programs are told by SIGHUP.
void terminal_await(struct pollfd fds[TERMINAL_FDS]);
void terminal_move(const struct pollfd fds[TERMINAL_FDS]);
// After the last process: what it still said, as far as the runner takes it within a moment.
void terminal_drain(void);
