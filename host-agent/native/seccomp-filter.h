// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdbool.h>

// A filter of seccomp/ that this program carries.
bool seccomp_filter_known(const char *name);

// From here on this process and all it becomes or starts has the filter, and nothing takes it off. False, with errno set, when
// there is no such filter or the kernel does not take it: then no command may follow.
bool seccomp_filter_load(const char *name);
