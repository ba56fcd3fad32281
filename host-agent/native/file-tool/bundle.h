// SPDX-License-Identifier: Apache-2.0
// A bundle of git (gitformat-bundle(5)) is passed on as it is; nothing here reads more of it than its first line.
#pragma once
#include <stdbool.h>

// Whether the file begins as one. It is read from its beginning again.
bool is_bundle(int fd);
