// SPDX-License-Identifier: Apache-2.0
// A literal text, line by line: no pattern language, so no pattern that takes for ever (B21).
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "fault.h"
#include "kind.h"

// Of one file no more than this is searched.
#define FILE_MAX ((size_t)8 << 20)
// A file with a NUL byte this near its start is not text.
#define SNIFF 8192

struct search {
  const char *text;
  size_t text_length;
  int64_t max_matches, max_files, max_bytes, max_depth, clip;
  int64_t matches, files, bytes, binary, cut, unreadable;
  // The first cap that was reached; NULL while none was. All but `depth` end the search.
  const char *truncated;
  bool full;
  char path[PATH_MAX];
  char *content;
};

static void stop(struct search *s, const char *why) {
  s->truncated = why;
  s->full = true;
}

// Cut between characters, so that clipping never makes invalid what was valid.
static size_t clipped(const char *line, size_t length, size_t clip) {
  if (length <= clip) return length;
  while (clip > 0 && (line[clip] & 0xc0) == 0x80) clip--;
  return clip;
}

static void put_match(struct search *s, int64_t number, const char *line, size_t length) {
  printf("match%c", 0);
  const char *path = s->path[0] == '\0' ? "." : s->path;
  fwrite(path, 1, strlen(path) + 1, stdout);
  printf("%lld%c", (long long)number, 0);
  // A NUL inside would end the field.
  length = strnlen(line, clipped(line, length, (size_t)s->clip));
  if (length > 0 && line[length - 1] == '\r') length--;
  fwrite(line, 1, length, stdout);
  putchar(0);
}

static void search_content(struct search *s, size_t size) {
  const char *content = s->content, *end = content + size, *line = content, *counted = content;
  int64_t number = 1;
  while (line < end) {
    const char *found = memmem(line, (size_t)(end - line), s->text, s->text_length);
    if (found == NULL) return;
    for (const char *n; (n = memchr(counted, '\n', (size_t)(found - counted))) != NULL; counted = n + 1) number++;
    const char *start = memrchr(content, '\n', (size_t)(found - content));
    start = start == NULL ? content : start + 1;
    const char *stop_at = memchr(found, '\n', (size_t)(end - found));
    if (stop_at == NULL) stop_at = end;
    if (s->matches >= s->max_matches) return stop(s, "matches");
    s->matches++;
    // Of a long line the part around the match.
    if (found - start > s->clip - (int64_t)s->text_length) {
      start = found - (s->clip / 4 < found - start ? s->clip / 4 : found - start);
      while (start < found && (*start & 0xc0) == 0x80) start++;
    }
    put_match(s, number, start, (size_t)(stop_at - start));
    line = stop_at < end ? stop_at + 1 : end;
  }
}

static void search_file(struct search *s, int fd) {
  struct stat st;
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) return;
  if (s->files >= s->max_files) return stop(s, "files");
  s->files++;
  size_t size = 0, most = FILE_MAX;
  if ((int64_t)most > s->max_bytes - s->bytes) most = (size_t)(s->max_bytes - s->bytes);
  while (size < most) {
    ssize_t n = read(fd, s->content + size, most - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      s->unreadable++;
      return;
    }
    if (n == 0) break;
    size += (size_t)n;
    if (size <= SNIFF && memchr(s->content, 0, size) != NULL) break;
  }
  s->bytes += (int64_t)size;
  if (memchr(s->content, 0, size < SNIFF ? size : SNIFF) != NULL) s->binary++;
  else search_content(s, size);
  if (s->full || size < most) return;
  if (most < FILE_MAX) stop(s, "bytes");
  else if (st.st_size > (off_t)FILE_MAX) s->cut++;
}

static void search_directory(struct search *s, int fd, int64_t depth);

static void search_entry(struct search *s, int dir, const struct dirent *entry, int64_t depth) {
  struct stat st;
  if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) return;
  bool directory = S_ISDIR(st.st_mode);
  // Links are never followed and special files never opened.
  if (!directory && !S_ISREG(st.st_mode)) return;
  if (directory && depth >= s->max_depth) {
    s->truncated = "depth";
    return;
  }
  size_t length = strlen(s->path);
  int n = snprintf(s->path + length, sizeof s->path - length, "%s%s", length > 0 ? "/" : "", entry->d_name);
  if (n < 0 || (size_t)n >= sizeof s->path - length) {
    s->truncated = "depth";
  } else {
    int fd = open_child(dir, entry->d_name, O_RDONLY | O_NONBLOCK | O_NOCTTY | (directory ? O_DIRECTORY : 0));
    if (fd < 0) {
      s->unreadable++;
    } else if (directory) {
      search_directory(s, fd, depth + 1);
    } else {
      search_file(s, fd);
      close(fd);
    }
  }
  s->path[length] = '\0';
}

static void search_directory(struct search *s, int fd, int64_t depth) {
  DIR *dir = fdopendir(fd);
  if (dir == NULL) {
    s->unreadable++;
    close(fd);
    return;
  }
  const struct dirent *entry;
  while (!s->full && (entry = readdir(dir)) != NULL) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) search_entry(s, fd, entry, depth);
  }
  closedir(dir);
}

void op_search(const struct ask *ask) {
  static struct search s;
  s.text = ask_text(ask, "--text");
  if (s.text == NULL || s.text[0] == '\0') wrong_use("search needs --text with at least one character");
  s.text_length = strlen(s.text);
  s.max_matches = ask_number(ask, "--max-matches", 200);
  s.max_files = ask_number(ask, "--max-files", 20000);
  s.max_bytes = ask_number(ask, "--max-bytes", (int64_t)256 << 20);
  s.max_depth = ask_number(ask, "--max-depth", 64);
  // One descriptor a level, of the call's 1024 (R37).
  if (s.max_depth > 256) s.max_depth = 256;
  s.clip = ask_number(ask, "--clip", 300);
  s.content = malloc(FILE_MAX);
  if (s.content == NULL) fault(ENOMEM, ask->path, NULL);
  int fd = open_beneath(ask->root, ask->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
  if (fd < 0) fault(errno, ask->path, NULL);
  struct stat st;
  if (fstat(fd, &st) < 0) fault(errno, ask->path, NULL);
  if (S_ISDIR(st.st_mode)) {
    // Who was judged for one path must not get all below it.
    if (!ask_flag(ask, "--recursive")) fault(EISDIR, ask->path, NULL);
    search_directory(&s, fd, 0);
  } else {
    refuse_unless_regular(&st, ask->path);
    search_file(&s, fd);
  }
  if (fflush(stdout) != 0 || ferror(stdout)) fault(errno, ask->path, "the result could not be handed on");
  struct json j;
  json_begin(&j);
  json_number(&j, "matches", s.matches);
  json_number(&j, "files", s.files);
  json_number(&j, "bytes", s.bytes);
  json_number(&j, "binary", s.binary);
  json_number(&j, "cut", s.cut);
  json_number(&j, "unreadable", s.unreadable);
  json_string(&j, "truncated", s.truncated == NULL ? "" : s.truncated);
  json_send(&j, STDERR_FILENO);
}
