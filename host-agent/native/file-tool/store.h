// SPDX-License-Identifier: Apache-2.0
// The restore points of one agent:
//
//   points/NUMBER/list    the paths of the point; the point is there when this is, and is made by a rename
//   points/NUMBER/about   who made it, why, how much; written before the list
//   points/NUMBER/0 1 2   content of files, made for this point; later points of all of a root refer to them
//   points/NUMBER/ended   the list of a point that is no more, empty when what only it needed has been removed
//   lock                  held shared to read, alone to change
//
// A folder with neither list nor ended is of a point that was never completed, and is removed by the next one that is made.
// Points end oldest first. Points of the whole root refer to the contents of the one before, so the contents that an ended point
// needs and the next whole one does not are needed by nobody.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "tree.h"

struct about {
  int64_t number;
  char *id, *of, *scope, *call, *session, *tool;  // `of`: absolute path of the root; `scope`: relative to it
  int64_t at;                                     // milliseconds since 1970, for people and for the policy on age
  int64_t entries, bytes, own, unread, moving;    // bytes: of all files; own: of what was made for this point
};

struct store {
  int fd, points;
  struct about *about;  // in the order of their numbers
  size_t count;
};

// Ends the program when there is no store. `change`: sole use of it, and what was left half done is cleared away.
struct store store_open(const char *path, bool change);
const struct about *store_find(const struct store *store, const char *id);
// The newest of the whole of this root; NULL when there is none.
const struct about *store_newest_whole(const struct store *store, const char *of);

void store_read(const struct store *store, const struct about *about, struct tree *tree);
// Read-only descriptor of a content, or -1.
int store_open_object(const struct store *store, const char *object);

// The folder of the next point; its number.
int store_begin(struct store *store, int64_t *number);
// Completes it: from here on it is there, also after a power cut.
void store_complete(struct store *store, int folder, const struct about *about, const struct tree *tree);
// Ends the oldest point if it is older than `number`. False when there is none.
bool store_end_oldest(struct store *store, int64_t before);
