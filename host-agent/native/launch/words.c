// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "refuse.h"

// More than an execve takes. Untouched pages of it cost nothing.
static char text[4 << 20];

char **words_read(int fd) {
  size_t used = 0;
  for (;;) {
    ssize_t n = read(fd, text + used, sizeof text - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) refuse("plan", errno);
    if (n == 0) break;
    used += (size_t)n;
    if (used == sizeof text) refuse("plan", E2BIG);
  }
  if (used == 0 || text[used - 1] != '\0') return NULL;
  size_t ended = 0;
  for (size_t i = 0; i < used; i++) ended += text[i] == '\0';
  char *rest;
  unsigned long count = strtoul(text, &rest, 10);
  if (rest == text || *rest != '\0') refuse("plan", EINVAL);
  if (count + 1 != ended) return NULL;
  char **words = calloc(ended, sizeof *words);
  if (words == NULL) refuse("plan", ENOMEM);
  char *word = text;
  for (size_t i = 0; i < count; i++) words[i] = word += strlen(word) + 1;
  return words;
}
