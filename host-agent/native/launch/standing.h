// SPDX-License-Identifier: Apache-2.0
// What a process of a call is allowed to be and to use: its ids, limits, signals and privileges.
#pragma once
#include <sys/types.h>

// For the whole launch: signals as at a fresh login, no privilege ever from a program's set-user-id, death with the runner.
void standing_begin(void);
// Death with who started us, which no child inherits. Ends at once when the runner has gone already.
void standing_die_with_parent(void);
// In the namespaces of the call: nobody but its own user and group exists there.
void standing_ids(uid_t uid, gid_t gid);
// R37. A limit that is already lower stays: only a privileged process may raise one.
void standing_limits(void);
// Leaves what building a tree needs, within the call's own user namespace, and no way to get back what was given up.
void standing_only_mount(void);
// Leaves nothing.
void standing_end(void);
