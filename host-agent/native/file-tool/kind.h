// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/stat.h>

// file, directory, link, fifo, socket, block or character.
const char *kind_of(const struct stat *st);

// Content is that of regular files only: opening a device or a FIFO does things, and reading one may never end.
void refuse_unless_regular(const struct stat *st, const char *path);
