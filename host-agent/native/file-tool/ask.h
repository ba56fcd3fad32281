// SPDX-License-Identifier: Apache-2.0
// What the command line asked for. Options come as `--name value`; flags as `--name`.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct ask {
  int root;          // O_PATH descriptor of ROOT; everything happens beneath it
  const char *path;  // relative to ROOT, plain: no empty, `.` or `..` segment; `.` alone is ROOT itself
  int option_count;
  char **options;
  const char *const *flags;  // those of the operation: they have no value
};

const char *ask_text(const struct ask *ask, const char *name);
int64_t ask_number(const struct ask *ask, const char *name, int64_t otherwise);
bool ask_flag(const struct ask *ask, const char *name);

// The operations. Each writes its result to stdout and one line of facts to stderr, or ends by fault().
void op_read(const struct ask *ask);
void op_list(const struct ask *ask);
void op_stat(const struct ask *ask);
void op_search(const struct ask *ask);
void op_write(const struct ask *ask);
void op_mkdir(const struct ask *ask);
void op_delete(const struct ask *ask);

// On restore points (store.h).
void op_point(const struct ask *ask);
void op_points(const struct ask *ask);
void op_diff(const struct ask *ask);
void op_undo(const struct ask *ask);

// Projects in and out (tar.h).
void op_unpack(const struct ask *ask);
void op_pack(const struct ask *ask);
void op_lift(const struct ask *ask);
