// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdbool.h>
#include <stddef.h>

// The AppArmor label of this process as the kernel prints it. `unconfined` on a kernel without AppArmor; `unreadable (ERRNO)`
// when the kernel would not say, which never equals a label that was asked for.
void label_read(char *text, size_t size);

// The same profiles in the same mode. The kernel chooses the order in which a stack prints its profiles (`a//&b (enforce)`).
bool label_same(const char *a, const char *b);
