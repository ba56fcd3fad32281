// SPDX-License-Identifier: Apache-2.0
#pragma once

// Moves this process into the control group whose directory is `dir`. 0, or the errno of what went wrong.
int cgroup_join(const char *dir);
