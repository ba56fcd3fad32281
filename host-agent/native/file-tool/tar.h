// SPDX-License-Identifier: Apache-2.0
// The tar archive (POSIX.1-1988 ustar, its pax extension of 2001, and GNU's long names): one header, read and written.
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TAR_BLOCK 512

struct tar_member {
  char type;  // 0 file, 1 another name of a file before it, 2 link, 5 directory; others as they came
  char path[PATH_MAX], target[PATH_MAX];
  int64_t size, mtime;
  unsigned mode;
};

// The next member, its content to be read next. 1, 0 at the end, or -1 with *why.
int tar_next(FILE *in, struct tar_member *member, const char **why);
// Past what of its content and padding has not been read. False when the archive ends within it.
bool tar_skip(FILE *in, int64_t size);

// The header, with a longer name before it where it needs one. The content and its padding are the caller's.
bool tar_header(FILE *out, const struct tar_member *member);
bool tar_pad(FILE *out, int64_t size);
