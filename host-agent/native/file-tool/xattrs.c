// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "xattrs.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "tree.h"

#define NAMES_MAX 128

struct names {
  char text[XATTR_LIST_MAX];
  const char *name[NAMES_MAX];
  size_t count;
};

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static bool is_ours(const char *name) { return strncmp(name, "security.", 9) != 0 && strncmp(name, "trusted.", 8) != 0; }

static int list(int fd, struct names *names) {
  names->count = 0;
  ssize_t length = flistxattr(fd, names->text, sizeof names->text);
  // A file system without attributes has none.
  if (length < 0) return errno == ENOTSUP ? 0 : errno;
  for (const char *s = names->text; s < names->text + length; s += strlen(s) + 1) {
    if (!is_ours(s)) continue;
    if (names->count == NAMES_MAX) return E2BIG;
    names->name[names->count++] = s;
  }
  qsort(names->name, names->count, sizeof *names->name, by_bytes);
  return 0;
}

static void put_hex(FILE *out, const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) fprintf(out, "%02x", ((const unsigned char *)bytes)[i]);
}

char *xattrs_read(int fd) {
  static struct names names;
  static char value[XATTR_SIZE_MAX];
  int error = list(fd, &names);
  if (error != 0) {
    errno = error;
    return NULL;
  }
  if (names.count == 0) return keep_text("");
  char *text;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (out == NULL) return NULL;
  for (size_t i = 0; i < names.count; i++) {
    ssize_t length = fgetxattr(fd, names.name[i], value, sizeof value);
    // Gone since it was listed.
    if (length < 0) continue;
    put_hex(out, names.name[i], strlen(names.name[i]));
    fputc('=', out);
    put_hex(out, value, (size_t)length);
    fputc(',', out);
  }
  return fclose(out) == 0 ? text : NULL;
}

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

// Up to `end`; the length, or -1 when it is not what xattrs_read wrote.
static ssize_t take_hex(const char **text, char end, char *bytes, size_t most) {
  size_t n = 0;
  for (; **text != end; *text += 2, n++) {
    int high = digit((*text)[0]), low = high < 0 ? -1 : digit((*text)[1]);
    if (low < 0 || n == most) return -1;
    bytes[n] = (char)(high * 16 + low);
  }
  *text += 1;
  return (ssize_t)n;
}

int xattrs_write(int fd, const char *text) {
  static struct names names;
  static char value[XATTR_SIZE_MAX];
  int error = list(fd, &names);
  if (error != 0) return error;
  bool keep[NAMES_MAX] = {false};
  while (*text != '\0') {
    char name[XATTR_NAME_MAX + 1];
    ssize_t name_length = take_hex(&text, '=', name, XATTR_NAME_MAX);
    if (name_length <= 0) return EBADMSG;
    name[name_length] = '\0';
    ssize_t length = take_hex(&text, ',', value, sizeof value);
    if (length < 0 || !is_ours(name)) return EBADMSG;
    if (fsetxattr(fd, name, value, (size_t)length, 0) < 0) return errno;
    for (size_t i = 0; i < names.count; i++) keep[i] = keep[i] || strcmp(names.name[i], name) == 0;
  }
  for (size_t i = 0; i < names.count; i++) {
    if (!keep[i] && fremovexattr(fd, names.name[i]) < 0 && errno != ENODATA) return errno;
  }
  return 0;
}
