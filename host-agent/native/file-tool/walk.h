// SPDX-License-Identifier: Apache-2.0
// What lies below a directory now.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "tree.h"

// One descriptor is held for each level, of the call's 1024 (R37).
#define WALK_DEPTH 256

struct walk {
  int root;
  // Lists of before, or NULL. A file that one of them shows with the same inode, size and time of change is the same file: it is
  // not opened, and has that one's object and attributes.
  const struct tree *known[2];
  struct tree *into;
  int64_t most_entries;
  // Directories of the agent that it has shut are opened by changing their mode.
  bool force;
  // Called for each regular file that is not known, while it is open. NULL for nobody.
  void (*visit)(void *with, int fd, struct entry *file);
  void *with;
};

// Adds `scope` and all below it, and the directory above it as ABOVE. Nothing when there is no such path. Sorts.
void walk(struct walk *walk, const char *scope);
