// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "json-out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Kept free for what closes a value that had to be cut, and for the end of the line.
#define RESERVE 16

static bool room(const struct json *j, size_t n) { return j->used + n + RESERVE <= sizeof j->text; }

static void put(struct json *j, const char *s, size_t n) {
  if (j->used + n > sizeof j->text) return;
  memcpy(j->text + j->used, s, n);
  j->used += n;
}

static bool key_fits(struct json *j, const char *key, size_t value) {
  if (!room(j, strlen(key) + 8 + value)) return false;
  if (j->used > 1) put(j, ",", 1);
  put(j, "\"", 1);
  put(j, key, strlen(key));
  put(j, "\":", 2);
  return true;
}

// Length of the well-formed UTF-8 sequence at s (RFC 3629: shortest form, no surrogates, at most U+10FFFF), 0 if there is none.
static size_t sequence(const unsigned char *s) {
  unsigned char a = s[0];
  if (a < 0x80) return 1;
  size_t n = a >= 0xc2 && a <= 0xdf ? 2 : (a & 0xf0) == 0xe0 ? 3 : a >= 0xf0 && a <= 0xf4 ? 4 : 0;
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) return 0;
  }
  if ((a == 0xe0 && s[1] < 0xa0) || (a == 0xed && s[1] > 0x9f)) return 0;
  if ((a == 0xf0 && s[1] < 0x90) || (a == 0xf4 && s[1] > 0x8f)) return 0;
  return n;
}

static bool is_control(const unsigned char *s, size_t n) {
  return (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

void json_begin(struct json *j) {
  j->used = 0;
  put(j, "{", 1);
}

void json_string(struct json *j, const char *key, const char *value) {
  if (!key_fits(j, key, 8)) return;
  put(j, "\"", 1);
  const unsigned char *s = (const unsigned char *)value;
  while (*s != 0) {
    size_t n = sequence(s);
    char escape[32];
    size_t length = 0;
    if (n == 0 || is_control(s, n)) {
      if (n == 0) n = 1;
      for (size_t i = 0; i < n; i++) length += (size_t)snprintf(escape + length, sizeof escape - length, "\\\\x%02x", s[i]);
    } else if (*s == '\\') {
      length = (size_t)snprintf(escape, sizeof escape, "\\\\\\\\");
    } else if (*s == '"') {
      length = (size_t)snprintf(escape, sizeof escape, "\\\"");
    }
    const char *from = length > 0 ? escape : (const char *)s;
    if (length == 0) length = n;
    if (!room(j, length)) {
      put(j, "...", 3);
      break;
    }
    put(j, from, length);
    s += n;
  }
  put(j, "\"", 1);
}

void json_number(struct json *j, const char *key, int64_t value) {
  char digits[32];
  int n = snprintf(digits, sizeof digits, "%lld", (long long)value);
  if (key_fits(j, key, (size_t)n)) put(j, digits, (size_t)n);
}

void json_bool(struct json *j, const char *key, bool value) {
  if (key_fits(j, key, 5)) put(j, value ? "true" : "false", value ? 4 : 5);
}

void json_errno(struct json *j, const char *key, int error) {
  char number[16];
  const char *name = strerrorname_np(error);
  if (name == NULL) {
    snprintf(number, sizeof number, "E%d", error);
    name = number;
  }
  json_string(j, key, name);
}

bool json_send(struct json *j, int fd) {
  put(j, "}\n", 2);
  for (size_t done = 0; done < j->used;) {
    ssize_t n = write(fd, j->text + done, j->used - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}
