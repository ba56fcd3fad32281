// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../json-out.h"
#include "changes.h"
#include "fault.h"
#include "kind.h"

static const char *word(const struct change *c) {
  if (c->before == NULL) return "added";
  if (c->after == NULL) return "removed";
  return c->difference == TIMES ? "times" : "changed";
}

static void put_side(const struct entry *e) {
  struct stat st = {.st_mode = e == NULL ? 0 : e->mode};
  printf("%s%c%o%c%lld%c", e == NULL ? "" : kind_of(&st), 0, e == NULL ? 0 : e->mode & 07777, 0, e == NULL ? 0 : (long long)e->size, 0);
  printf("%s%c", e == NULL ? "" : e->target, 0);
}

// The content of a small file without a NUL; "" for a side that has no file; NULL when it is no such text.
static char *text_of(const struct comparison *c, const struct entry *e, size_t most) {
  if (e == NULL || !S_ISREG(e->mode)) return calloc(1, 1);
  int fd = e->size > (int64_t)most ? -1 : comparison_content(c, e);
  char *text = fd < 0 ? NULL : calloc(most + 2, 1);
  size_t n = 0;
  ssize_t got = 1;
  while (text != NULL && n <= most && (got = read(fd, text + n, most + 1 - n)) > 0) n += (size_t)got;
  if (fd >= 0) close(fd);
  if (text != NULL && got >= 0 && n <= most && strlen(text) == n) return text;
  free(text);
  return NULL;
}

static bool is_file(const struct entry *e) { return e != NULL && S_ISREG(e->mode); }

// What changed from a point to a later one or to now. Records: word path, then of either side type mode size target, then `text` or
// nothing, and both texts.
void op_diff(const struct ask *ask) {
  struct comparison c = {0};
  size_t count;
  comparison_open(&c, ask, false);
  const struct change *changes = comparison_changes(&c, &count);
  int64_t max = ask_number(ask, "--max", 1000), most_text = ask_number(ask, "--max-text", 0), room = ask_number(ask, "--max-bytes", 0);
  int64_t shown = 0, all = 0;
  for (size_t i = 0; i < count; i++) {
    const struct change *change = &changes[i];
    const struct entry *either = change->before != NULL ? change->before : change->after;
    // A directory's time changes with what lies in it, which is told by itself.
    if (change->difference == TIMES && S_ISDIR(either->mode)) continue;
    all++;
    if (shown >= max) continue;
    shown++;
    bool wanted = most_text > 0 && change->difference == CHANGED && (is_file(change->before) || is_file(change->after));
    char *before = wanted && room > 0 ? text_of(&c, change->before, (size_t)most_text) : NULL;
    char *after = before == NULL ? NULL : text_of(&c, change->after, (size_t)most_text);
    if (after != NULL) room -= (int64_t)(strlen(before) + strlen(after));
    bool text = after != NULL && room >= 0;
    printf("%s%c%s%c", word(change), 0, either->path, 0);
    put_side(change->before);
    put_side(change->after);
    printf("%s%c%s%c%s%c", text ? "text" : "", 0, text ? before : "", 0, text ? after : "", 0);
    free(before);
    free(after);
  }
  if (fflush(stdout) != 0 || ferror(stdout)) fault(errno, ask->path, "the result could not be handed on");
  struct json j;
  json_begin(&j);
  json_number(&j, "changes", all);
  json_number(&j, "shown", shown);
  json_number(&j, "unread", c.unread);
  json_send(&j, STDERR_FILENO);
}
