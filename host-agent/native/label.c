// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "label.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STACKED "//&"

void label_read(char *text, size_t size) {
  int fd = open("/proc/self/attr/current", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  ssize_t n = -1;
  if (fd >= 0) {
    do n = read(fd, text, size - 1);
    while (n < 0 && errno == EINTR);
  }
  int error = errno;
  if (fd >= 0) close(fd);
  if (n > 0 && (size_t)n < size - 1) {
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return;
  }
  // EINVAL: no security module answers in this file (proc_pid_attr_read). Any other error, and no /proc at all, says nothing.
  if (fd >= 0 && n < 0 && error == EINVAL) {
    snprintf(text, size, "unconfined");
    return;
  }
  const char *name = n == 0 ? "empty" : n > 0 ? "too long" : strerrorname_np(error);
  snprintf(text, size, "unreadable (%s)", name == NULL ? "unknown" : name);
}

// Length of the profiles, without the mode ` (enforce)` at the end.
static size_t profiles_length(const char *label) {
  const char *mode = strrchr(label, '(');
  return mode != NULL && mode > label && mode[-1] == ' ' ? (size_t)(mode - 1 - label) : strlen(label);
}

static size_t first_length(const char *names, size_t length) {
  const char *next = memmem(names, length, STACKED, strlen(STACKED));
  return next == NULL ? length : (size_t)(next - names);
}

static bool among(const char *name, size_t name_length, const char *names, size_t length) {
  for (;;) {
    size_t n = first_length(names, length);
    if (n == name_length && memcmp(name, names, n) == 0) return true;
    if (n == length) return false;
    names += n + strlen(STACKED);
    length -= n + strlen(STACKED);
  }
}

static bool all_among(const char *a, size_t a_length, const char *b, size_t b_length) {
  for (;;) {
    size_t n = first_length(a, a_length);
    if (!among(a, n, b, b_length)) return false;
    if (n == a_length) return true;
    a += n + strlen(STACKED);
    a_length -= n + strlen(STACKED);
  }
}

bool label_same(const char *a, const char *b) {
  size_t a_length = profiles_length(a), b_length = profiles_length(b);
  if (strcmp(a + a_length, b + b_length) != 0) return false;
  return all_among(a, a_length, b, b_length) && all_among(b, b_length, a, a_length);
}
