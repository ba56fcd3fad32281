// SPDX-License-Identifier: Apache-2.0
// The content of files, kept and compared.
#pragma once
#include <stdbool.h>

// Makes `to`, a new file, hold what `from` holds: as a clone that shares its blocks (ioctl_ficlone(2)), else as a copy that keeps its
// holes and is on disk. Zero, or errno.
int content_keep(int from, int to);

// Zero, or errno.
int content_same(int a, int b, bool *same);
