// SPDX-License-Identifier: Apache-2.0
// The only ways in which this program opens a name. All return -1 with errno set.
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

bool is_plain(const char *path);

// Beneath `root`, no symbolic or magic link anywhere in the path; mounts are crossed.
int open_beneath(int root, const char *path, int flags, mode_t mode);

// One name in a directory, never a link, never another mount.
int open_child(int dir, const char *name, int flags);

// The directory in which the last segment of `path` lies; that segment in `name`. EBUSY for `.`: ROOT itself has no name here.
int open_parent(int root, const char *path, char name[NAME_MAX + 1]);
