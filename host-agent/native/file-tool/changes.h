// SPDX-License-Identifier: Apache-2.0
// What is different between a restore point and a later state of the same tree: a later point, or now.
#pragma once
#include "ask.h"
#include "store.h"
#include "tree.h"

enum difference { SAME, TIMES, CHANGED };

struct change {
  const struct entry *before, *after;  // of the point, and of the later state; one of them may be NULL
  const struct entry *now;             // NULL when it is not there now
  enum difference difference;          // between before and after
  bool since;                          // it is not now what it was in the later state, nor what it was in the point
  bool undone;                         // it is now what it was in the point
};

struct comparison {
  const struct ask *ask;
  struct store store;
  const struct about *from;
  bool later;  // there is a later state than the point's that is not now
  struct tree before, after, now;
  int64_t unread;  // paths of which one side is not known
};

// Reads --store, --from and --to: later points, oldest first, with commas between. The later state of a path is that of the first of
// them that covers it; what none covers is now. Looks at what is there now. With `force`, directories that are shut are opened.
void comparison_open(struct comparison *c, const struct ask *ask, bool force);

// The changes at and below the path asked for, in the order of their paths.
struct change *comparison_changes(struct comparison *c, size_t *count);

// Whether two files hold the same.
bool comparison_same_content(const struct comparison *c, const struct entry *a, const struct entry *b);

// The content of a file of either side; -1 with errno.
int comparison_content(const struct comparison *c, const struct entry *e);
