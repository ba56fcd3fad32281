// SPDX-License-Identifier: Apache-2.0
// One line of JSON, built in fixed memory: these programs report when memory or disk has run out, too.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
  char text[4096];
  size_t used;
};

void json_begin(struct json *j);
// Keys are constants of ours. Values may be any bytes another party chose: what is not printable UTF-8 appears as \xHH and a
// backslash as \\ in the *decoded* string, so that a name is never mistaken for another and never reaches a terminal raw.
void json_string(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
// strerrorname_np, or E and the number for an error this C library does not know.
void json_errno(struct json *j, const char *key, int error);
// Ends the line and writes it whole. False when it could not be written; there is nobody else to tell.
bool json_send(struct json *j, int fd);
