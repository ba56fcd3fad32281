// SPDX-License-Identifier: Apache-2.0
// pack: the directory PATH as the tar archive --to, which must not be there yet. Links as links; what is neither file, directory nor
// link is left out and told, and so is what cannot be read.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "fault.h"
#include "tar.h"
#include "walk.h"

struct packing {
  FILE *out;
  int64_t most_bytes, entries, bytes, left;
};

static void leave(struct packing *p, const char *path, const char *why) {
  p->left++;
  printf("left%c%s%c%s%c", 0, path, 0, why, 0);
}

_Noreturn static void broken(const char *path) { fault(errno == 0 ? EIO : errno, path, "could not be packed"); }

static void put_file(struct packing *p, int root, struct tar_member *m) {
  int fd = open_beneath(root, m->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
    if (fd >= 0) close(fd);
    return leave(p, m->path, "it cannot be read");
  }
  m->size = st.st_size;
  p->bytes += m->size;
  if (p->bytes > p->most_bytes) fault(EFBIG, m->path, "makes this more than can be got at once; get a directory of it by its name");
  if (!tar_header(p->out, m)) broken(m->path);
  static char buffer[64 * 1024];
  bool shorter = false;
  for (int64_t left = m->size; left > 0;) {
    ssize_t n = read(fd, buffer, left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    // The header has said how long it is; what was cut off meanwhile is zeros, and told.
    if (n <= 0) {
      if (!shorter) leave(p, m->path, "it became shorter while it was read: its end is zeros");
      shorter = true;
      memset(buffer, 0, sizeof buffer);
      n = left < (int64_t)sizeof buffer ? (ssize_t)left : (ssize_t)sizeof buffer;
    }
    if (fwrite(buffer, 1, (size_t)n, p->out) != (size_t)n) broken(m->path);
    left -= n;
  }
  close(fd);
  p->entries++;
  if (!tar_pad(p->out, m->size)) broken(m->path);
}

void op_pack(const struct ask *ask) {
  const char *to = ask_text(ask, "--to");
  int fd = to == NULL ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  struct packing p = {.out = fd < 0 ? NULL : fdopen(fd, "w"), .most_bytes = ask_number(ask, "--most-bytes", (int64_t)1 << 30)};
  if (p.out == NULL) fault(errno, to == NULL ? "--to" : to, NULL);
  int root = open_beneath(ask->root, ask->path, O_RDONLY | O_DIRECTORY, 0);
  if (root < 0) fault(errno, ask->path, NULL);
  struct tree tree = {0};
  struct walk w = {.root = root, .into = &tree, .most_entries = ask_number(ask, "--most-entries", 200000)};
  walk(&w, ".");
  static struct tar_member m;
  for (size_t i = 0; i < tree.count; i++) {
    const struct entry *e = &tree.entries[i];
    if (strcmp(e->path, ".") == 0) continue;
    m = (struct tar_member){.mode = e->mode & 0777, .mtime = e->mtime / 1000000000};
    snprintf(m.path, sizeof m.path, "%s", e->path);
    if (S_ISREG(e->mode)) {
      m.type = '0';
      put_file(&p, root, &m);
      continue;
    }
    if (!S_ISDIR(e->mode) && !S_ISLNK(e->mode)) {
      leave(&p, e->path, "no file, directory or link");
      continue;
    }
    if ((e->marks & UNREAD) != 0) leave(&p, e->path, "it cannot be read");
    m.type = S_ISDIR(e->mode) ? '5' : '2';
    snprintf(m.target, sizeof m.target, "%s", e->target);
    if (S_ISDIR(e->mode) && strlen(m.path) + 1 < sizeof m.path) strcat(m.path, "/");
    if (!tar_header(p.out, &m)) broken(e->path);
    p.entries++;
  }
  static const char end[2 * TAR_BLOCK];
  if (fwrite(end, 1, sizeof end, p.out) != sizeof end || fclose(p.out) != 0 || fflush(stdout) != 0) broken(ask->path);
  struct json j;
  json_begin(&j);
  json_number(&j, "entries", p.entries);
  json_number(&j, "bytes", p.bytes);
  json_number(&j, "left", p.left);
  json_send(&j, STDERR_FILENO);
}
