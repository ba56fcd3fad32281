// SPDX-License-Identifier: Apache-2.0
// file-tool: the only program that opens files for an agent (R15, A02, A09, A10, A12).
//
//   file-tool ROOT OP PATH [OPTION]...
//     read    [--offset N] [--max N]                     content to stdout
//     list    [--max N]                                  records: type size mtime_ns mode name target
//     stat                                               one such record; name is the last segment of PATH
//     search  --text T [--recursive] [--max-matches N] [--max-files N] [--max-bytes N] [--max-depth N] [--clip N]
//                                                        a directory only with --recursive; records: `match` path line text; path relative to PATH, `.` for PATH
//     write   --mode create|replace|append               content from stdin
//     mkdir   [--parents]
//     delete  [--recursive] [--keep-time]                its directory keeps its time of change
//     point   --store S --id I --of ROOT --call C --session N --tool T --at MS [--most-points N] [--most-bytes N] [--most-entries N]
//                                                        keeps what PATH is now as restore point I (store.h)
//     points  --store S                                  records: id of scope call session tool at entries bytes own unread moving
//     diff    --store S --from I [--to I,I...] [--max N] [--max-text N] [--max-bytes N]
//                                                        what changed since; records: op-diff.c
//     undo    --store S --from I [--to I,I...] [--force] [--dry-run]
//                                                        takes that back; records: restored|removed|left|conflict path why
//     unpack  --from FILE [--most-entries N] [--most-bytes N] [--image] [--bundle NAME]
//                                                        a tar archive into the directory PATH; records: left path why. With --image it is the
//                                                        file system of a container, and its group may move it. A bundle of git becomes the
//                                                        file NAME in PATH, which must be empty; without NAME it is only told
//     pack    --to FILE [--most-entries N] [--most-bytes N]
//                                                        the directory PATH as a tar archive; records: left path why
//     lift    --to FILE [--most-bytes N]                 the file PATH, a bundle of git, as it is
//
// A record is its fields, each ended by a NUL byte: names are bytes that may hold anything else, newlines and invalid UTF-8 too,
// and come as they are. Modes are octal, types file directory link fifo socket block character.
//
// Exit 0: stderr holds one JSON line of facts. Exit 1: one JSON line {"errno":NAME,"path":PATH,"what":SENTENCE}, in which paths
// are escaped as json-out.h says. Exit 2: the command line itself was wrong.
//
// PATH is resolved by openat2 beneath ROOT without following any link, so the string that was judged is the file that is
// opened. Mounts are crossed on the way to PATH (the sandbox is made of them) and never below it.
#define _GNU_SOURCE
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "fault.h"

#define VALUES 10
#define FLAGS 2

struct operation {
  const char *name;
  void (*run)(const struct ask *ask);
  const char *values[VALUES];
  const char *flags[FLAGS];
};

static const struct operation operations[] = {
    {"read", op_read, {"--offset", "--max"}, {0}},
    {"list", op_list, {"--max"}, {0}},
    {"stat", op_stat, {0}, {0}},
    {"search", op_search, {"--text", "--max-matches", "--max-files", "--max-bytes", "--max-depth", "--clip"}, {"--recursive"}},
    {"write", op_write, {"--mode"}, {0}},
    {"mkdir", op_mkdir, {0}, {"--parents"}},
    {"delete", op_delete, {0}, {"--recursive", "--keep-time"}},
    {"point",
     op_point,
     {"--store", "--id", "--of", "--call", "--session", "--tool", "--at", "--most-points", "--most-bytes", "--most-entries"},
     {0}},
    {"points", op_points, {"--store"}, {0}},
    {"diff", op_diff, {"--store", "--from", "--to", "--max", "--max-text", "--max-bytes"}, {0}},
    {"unpack", op_unpack, {"--from", "--most-entries", "--most-bytes", "--bundle"}, {"--image"}},
    {"pack", op_pack, {"--to", "--most-entries", "--most-bytes"}, {0}},
    {"lift", op_lift, {"--to", "--most-bytes"}, {0}},
    {"undo", op_undo, {"--store", "--from", "--to"}, {"--force", "--dry-run"}},
};

static bool among(const char *name, const char *const *names, size_t count) {
  for (size_t i = 0; i < count && names[i] != NULL; i++) {
    if (strcmp(name, names[i]) == 0) return true;
  }
  return false;
}

static void check_options(const struct operation *op, int count, char **options) {
  for (int i = 0; i < count;) {
    if (among(options[i], op->flags, FLAGS)) i += 1;
    else if (among(options[i], op->values, VALUES) && i + 1 < count) i += 2;
    else wrong_use("unknown option, or an option without its value");
  }
}

// The place of `name` among the options; values are stepped over, so that a value is never taken for an option.
static int find(const struct ask *ask, const char *name) {
  for (int i = 0; i < ask->option_count;) {
    if (strcmp(ask->options[i], name) == 0) return i;
    i += among(ask->options[i], ask->flags, FLAGS) ? 1 : 2;
  }
  return -1;
}

const char *ask_text(const struct ask *ask, const char *name) {
  int i = find(ask, name);
  return i < 0 ? NULL : ask->options[i + 1];
}

bool ask_flag(const struct ask *ask, const char *name) { return find(ask, name) >= 0; }

int64_t ask_number(const struct ask *ask, const char *name, int64_t otherwise) {
  const char *text = ask_text(ask, name);
  if (text == NULL) return otherwise;
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9') wrong_use("a number was expected");
  return n;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc < 4) wrong_use("file-tool ROOT OP PATH [OPTION]...");
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    const struct operation *op = &operations[i];
    if (strcmp(argv[2], op->name) != 0) continue;
    check_options(op, argc - 4, argv + 4);
    if (!is_plain(argv[3])) fault(EINVAL, argv[3], "is not a plain relative path: no empty, `.` or `..` segment, nothing absolute");
    int root = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) fault(errno, argv[1], NULL);
    struct ask ask = {.root = root, .path = argv[3], .option_count = argc - 4, .options = argv + 4, .flags = op->flags};
    op->run(&ask);
    return 0;
  }
  wrong_use("unknown operation");
}
