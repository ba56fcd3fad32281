// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "tar.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2], user[32], group[32], major[8],
      minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is a block");

#define EXTENSION_MAX (64 * 1024)
#define SIZE_MAX_64 ((int64_t)1 << 50)

static unsigned sum_of(const struct header *h) {
  unsigned sum = 0;
  const unsigned char *bytes = (const unsigned char *)h;
  for (size_t i = 0; i < sizeof *h; i++) {
    bool field = i >= offsetof(struct header, sum) && i < offsetof(struct header, sum) + sizeof h->sum;
    sum += field ? ' ' : bytes[i];
  }
  return sum;
}

// Octal with spaces or NULs around it, or GNU's base 256. -1 for anything else.
static int64_t number(const char *field, size_t length) {
  const unsigned char *s = (const unsigned char *)field;
  int64_t n = 0;
  if ((s[0] & 0x80) != 0) {
    if (s[0] != 0x80) return -1;
    for (size_t i = 1; i < length; i++) {
      if (n > (INT64_MAX >> 8)) return -1;
      n = (n << 8) | s[i];
    }
    return n;
  }
  size_t i = 0;
  while (i < length && s[i] == ' ') i++;
  for (; i < length && s[i] >= '0' && s[i] <= '7'; i++) n = n * 8 + (s[i] - '0');
  return i < length && s[i] != ' ' && s[i] != '\0' ? -1 : n;
}

bool tar_skip(FILE *in, int64_t size) {
  char block[TAR_BLOCK];
  for (int64_t left = (size + TAR_BLOCK - 1) / TAR_BLOCK; left > 0; left--) {
    if (fread(block, 1, sizeof block, in) != sizeof block) return false;
  }
  return true;
}

// The content of a member that says something about the next one.
static char *extension(FILE *in, int64_t size) {
  if (size < 0 || size > EXTENSION_MAX) return NULL;
  char *text = calloc((size_t)size + 1, 1);
  if (text == NULL || fread(text, 1, (size_t)size, in) != (size_t)size) return NULL;
  int64_t padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
  char rest[TAR_BLOCK];
  return fread(rest, 1, (size_t)padding, in) == (size_t)padding ? text : NULL;
}

static bool take(char *to, const char *from, size_t length) {
  if (length >= PATH_MAX || memchr(from, '\0', length) != NULL) return false;
  memcpy(to, from, length);
  to[length] = '\0';
  return true;
}

// What a pax header overrides: "LENGTH KEY=VALUE\n" again and again.
struct override {
  char path[PATH_MAX], target[PATH_MAX];
  int64_t size, mtime;
  bool has_path, has_target, has_size, has_mtime, sparse;
};

static bool read_pax(const char *text, size_t length, struct override *o) {
  for (const char *end = text + length; text < end;) {
    char *space;
    unsigned long long n = strtoull(text, &space, 10);
    if (*space != ' ' || n < 5 || n > (size_t)(end - text) || text[n - 1] != '\n') return false;
    const char *key = space + 1, *equals = memchr(key, '=', (size_t)(text + n - key));
    if (equals == NULL) return false;
    const char *value = equals + 1;
    size_t key_length = (size_t)(equals - key), value_length = (size_t)(text + n - 1 - value);
    if (key_length == 4 && memcmp(key, "path", 4) == 0) {
      o->has_path = take(o->path, value, value_length);
      if (!o->has_path) return false;
    } else if (key_length == 8 && memcmp(key, "linkpath", 8) == 0) {
      o->has_target = take(o->target, value, value_length);
      if (!o->has_target) return false;
    } else if (key_length == 4 && memcmp(key, "size", 4) == 0) {
      o->size = strtoll(value, NULL, 10);
      o->has_size = true;
    } else if (key_length == 5 && memcmp(key, "mtime", 5) == 0) {
      o->mtime = strtoll(value, NULL, 10);
      o->has_mtime = true;
    } else if (key_length > 10 && memcmp(key, "GNU.sparse", 10) == 0) {
      o->sparse = true;
    }
    text += n;
  }
  return true;
}

static size_t length_of(const char *field, size_t most) { return strnlen(field, most); }

static bool path_of(const struct header *h, char path[PATH_MAX]) {
  bool ustar = memcmp(h->magic, "ustar", 6) == 0;
  size_t prefix = ustar ? length_of(h->prefix, sizeof h->prefix) : 0;
  int n = prefix == 0 ? snprintf(path, PATH_MAX, "%.*s", (int)sizeof h->name, h->name)
                      : snprintf(path, PATH_MAX, "%.*s/%.*s", (int)prefix, h->prefix, (int)sizeof h->name, h->name);
  return n > 0 && n < PATH_MAX;
}

int tar_next(FILE *in, struct tar_member *m, const char **why) {
  struct override o = {0};
  *why = "it is damaged, or no tar archive";
  for (;;) {
    struct header h;
    size_t got = fread(&h, 1, sizeof h, in);
    // Two empty blocks end an archive; one, or the end of the file, is taken for the same.
    if (got == 0 && feof(in)) return 0;
    static const struct header empty;
    if (got == sizeof h && memcmp(&h, &empty, sizeof h) == 0) return 0;
    if (got >= 2 && memcmp(&h, "\x1f\x8b", 2) == 0) *why = "it is compressed: send it as plain tar";
    if (got != sizeof h || (int64_t)sum_of(&h) != number(h.sum, sizeof h.sum)) return -1;
    m->size = number(h.size, sizeof h.size);
    if (m->size < 0 || m->size > SIZE_MAX_64) return -1;
    if (h.type == 'x' || h.type == 'g' || h.type == 'L' || h.type == 'K') {
      char *text = extension(in, m->size);
      if (text == NULL) return -1;
      bool good = true;
      if (h.type == 'x') good = read_pax(text, (size_t)m->size, &o);
      if (h.type == 'L') good = o.has_path = take(o.path, text, strlen(text));
      if (h.type == 'K') good = o.has_target = take(o.target, text, strlen(text));
      free(text);
      if (!good) return -1;
      continue;
    }
    *why = "it holds sparse files: make it without --sparse";
    if (o.sparse || h.type == 'S') return -1;
    *why = "it is damaged, or no tar archive";
    m->type = h.type == '\0' || h.type == '7' ? '0' : h.type;
    m->mode = (unsigned)number(h.mode, sizeof h.mode) & 07777;
    m->mtime = o.has_mtime ? o.mtime : number(h.mtime, sizeof h.mtime);
    if (o.has_size) m->size = o.size;
    if (m->size < 0 || m->size > SIZE_MAX_64) return -1;
    if (m->type != '0') m->size = m->type >= '1' && m->type <= '6' ? 0 : m->size;
    if (o.has_path) memcpy(m->path, o.path, sizeof m->path);
    else if (!path_of(&h, m->path)) return -1;
    if (o.has_target) memcpy(m->target, o.target, sizeof m->target);
    else snprintf(m->target, sizeof m->target, "%.*s", (int)sizeof h.link, h.link);
    // Before 1988 a directory was a file whose name ends with a slash.
    size_t n = strlen(m->path);
    if (m->type == '0' && n > 0 && m->path[n - 1] == '/') m->type = '5';
    return 1;
  }
}

static bool put_block(FILE *out, struct header *h) {
  memcpy(h->magic, "ustar ", 6);
  memcpy(h->version, " ", 2);
  snprintf(h->sum, sizeof h->sum, "%06o", sum_of(h));
  h->sum[7] = ' ';
  return fwrite(h, 1, sizeof *h, out) == sizeof *h;
}

static void put_size(char field[12], int64_t n) {
  if (n < ((int64_t)1 << 33)) {
    snprintf(field, 12, "%011llo", (unsigned long long)n);
    return;
  }
  field[0] = (char)0x80;
  for (int i = 11; i > 0; i--, n >>= 8) field[i] = (char)(n & 0xff);
}

// GNU's way: bytes as they are, whatever they mean.
static bool put_long(FILE *out, char type, const char *text) {
  struct header h = {.name = "././@LongLink", .mode = "0000644", .uid = "0000000", .gid = "0000000", .mtime = "00000000000"};
  size_t n = strlen(text) + 1;
  h.type = type;
  put_size(h.size, (int64_t)n);
  return put_block(out, &h) && fwrite(text, 1, n, out) == n && tar_pad(out, (int64_t)n);
}

bool tar_pad(FILE *out, int64_t size) {
  static const char zero[TAR_BLOCK];
  size_t n = (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
  return fwrite(zero, 1, n, out) == n;
}

bool tar_header(FILE *out, const struct tar_member *m) {
  struct header h = {.uid = "0000000", .gid = "0000000"};
  if (strlen(m->target) > sizeof h.link && !put_long(out, 'K', m->target)) return false;
  if (strlen(m->path) > sizeof h.name && !put_long(out, 'L', m->path)) return false;
  memcpy(h.name, m->path, strnlen(m->path, sizeof h.name));
  memcpy(h.link, m->target, strnlen(m->target, sizeof h.link));
  snprintf(h.mode, sizeof h.mode, "%07o", m->mode & 0777);
  put_size(h.size, m->size);
  put_size(h.mtime, m->mtime < 0 ? 0 : m->mtime);
  h.type = m->type;
  return put_block(out, &h);
}
