// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "fault.h"

static int64_t make_one(const struct ask *ask) {
  char name[NAME_MAX + 1];
  int dir = open_parent(ask->root, ask->path, name);
  if (dir < 0) fault(errno, ask->path, NULL);
  if (mkdirat(dir, name, 0777) < 0) fault(errno, ask->path, NULL);
  return 1;
}

// Each prefix is opened anew from ROOT: a directory swapped for a link between two steps is an ELOOP, never a way out.
static int64_t make_all(const struct ask *ask) {
  char prefix[PATH_MAX];
  int64_t made = 0;
  if (strlen(ask->path) >= sizeof prefix) fault(ENAMETOOLONG, ask->path, NULL);
  for (const char *end = ask->path; end != NULL;) {
    end = strchr(end == ask->path ? end : end + 1, '/');
    size_t length = end == NULL ? strlen(ask->path) : (size_t)(end - ask->path);
    memcpy(prefix, ask->path, length);
    prefix[length] = '\0';
    int there = open_beneath(ask->root, prefix, O_PATH | O_DIRECTORY, 0);
    if (there >= 0) {
      close(there);
      continue;
    }
    if (errno != ENOENT) fault(errno, prefix, NULL);
    char name[NAME_MAX + 1];
    int dir = open_parent(ask->root, prefix, name);
    if (dir < 0) fault(errno, prefix, NULL);
    if (mkdirat(dir, name, 0777) == 0) made++;
    else if (errno != EEXIST) fault(errno, prefix, NULL);
    close(dir);
  }
  return made;
}

void op_mkdir(const struct ask *ask) {
  struct json j;
  json_begin(&j);
  json_number(&j, "created", ask_flag(ask, "--parents") ? make_all(ask) : make_one(ask));
  json_send(&j, STDERR_FILENO);
}
