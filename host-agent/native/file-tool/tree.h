// SPDX-License-Identifier: Apache-2.0
// What lies below a directory, as a sorted list of paths: of now, or of a restore point.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

// Neither its content nor what lies below it is known.
#define UNREAD 1u
// Changed so shortly before it was looked at that a later change may carry the same time: equal times prove nothing.
#define YOUNG 2u
// Changed while it was being kept: what was kept is of one moment or, where the file system cannot clone, of several.
#define MOVING 4u
// The directory above the scope. Nothing of it is kept but its times.
#define ABOVE 8u

struct entry {
  char *path;  // relative to the tree's root; "." is the root itself
  mode_t mode;
  unsigned marks;
  int64_t size;
  int64_t mtime, ctime;  // nanoseconds
  uint64_t ino, links;
  char *object;  // where a restore point keeps the content: POINT/NUMBER; "" when nowhere
  char *xattrs;  // canonical text (xattrs.h)
  char *target;  // of a link
};

struct tree {
  struct entry *entries;
  size_t count, room;
};

// The entry is the tree's until the next one is added. Ends the program when memory is short.
struct entry *tree_add(struct tree *tree, const char *path, const struct stat *st);
void tree_sort(struct tree *tree);
// In a sorted tree; NULL when there is none.
struct entry *tree_find(const struct tree *tree, const char *path);

// A directory before what lies in it, and all of that before what follows.
int path_order(const char *a, const char *b);
// True for the directory itself, too.
bool path_beneath(const char *path, const char *dir);
char *keep_text(const char *text);
int64_t nanoseconds(struct timespec t);
