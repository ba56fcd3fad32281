// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "fault.h"

#define FORMAT "holdfast-restore-1"
#define NUMBER_MAX 24
#define LIST_MAX ((int64_t)512 * 1024 * 1024)

_Noreturn static void damaged(int64_t number) {
  char name[NUMBER_MAX];
  snprintf(name, sizeof name, "point %lld", (long long)number);
  fault(EBADMSG, name, "is damaged; points of another time may be whole");
}

_Noreturn static void broken(const char *what) { fault(errno, what, NULL); }

static int open_number(const struct store *store, int64_t number) {
  char name[NUMBER_MAX];
  snprintf(name, sizeof name, "%lld", (long long)number);
  return openat(store->points, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// The whole file, NUL after its end; NULL when there is none.
static char *slurp(int folder, const char *name, int64_t *length) {
  int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return NULL;
  struct stat st;
  if (fstat(fd, &st) < 0 || st.st_size > LIST_MAX) fault(EFBIG, name, NULL);
  char *text = malloc((size_t)st.st_size + 1);
  if (text == NULL) fault(ENOMEM, name, NULL);
  int64_t done = 0;
  while (done < st.st_size) {
    ssize_t n = read(fd, text + done, (size_t)(st.st_size - done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) broken(name);
    done += n;
  }
  close(fd);
  text[done] = '\0';
  *length = done;
  return text;
}

// Fields end with a NUL each. `left` is what has not been read.
struct fields {
  char *at, *end;
  bool bad;
};

static char *text_field(struct fields *f) {
  char *field = f->at;
  char *nul = f->bad ? NULL : memchr(field, '\0', (size_t)(f->end - field));
  f->bad = nul == NULL;
  if (f->bad) return "";
  f->at = nul + 1;
  return field;
}

static int64_t number_field(struct fields *f, int base) {
  const char *text = text_field(f);
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, base);
  if (errno != 0 || end == text || *end != '\0') f->bad = true;
  return n;
}

static bool read_about(int folder, int64_t number, struct about *a) {
  int64_t length;
  char *text = slurp(folder, "about", &length);
  if (text == NULL) return false;
  struct fields f = {.at = text, .end = text + length};
  if (strcmp(text_field(&f), FORMAT) != 0) return false;
  *a = (struct about){.number = number};
  a->id = text_field(&f), a->of = text_field(&f), a->scope = text_field(&f);
  a->call = text_field(&f), a->session = text_field(&f), a->tool = text_field(&f);
  a->at = number_field(&f, 10), a->entries = number_field(&f, 10), a->bytes = number_field(&f, 10);
  a->own = number_field(&f, 10), a->unread = number_field(&f, 10), a->moving = number_field(&f, 10);
  return !f.bad;
}

static void read_list(int folder, const char *name, int64_t number, struct tree *tree) {
  int64_t length;
  char *text = slurp(folder, name, &length);
  if (text == NULL) damaged(number);
  struct fields f = {.at = text, .end = text + length};
  for (;;) {
    const char *mark = text_field(&f);
    if (strcmp(mark, "end") == 0) break;
    struct entry *e = tree_add(tree, "", NULL);
    e->marks = (unsigned)strtoul(mark, NULL, 10);
    e->mode = (mode_t)number_field(&f, 8);
    e->size = number_field(&f, 10), e->mtime = number_field(&f, 10), e->ctime = number_field(&f, 10);
    e->ino = (uint64_t)number_field(&f, 10), e->links = (uint64_t)number_field(&f, 10);
    e->object = text_field(&f), e->xattrs = text_field(&f), e->target = text_field(&f), e->path = text_field(&f);
    if (f.bad) damaged(number);
  }
  if (number_field(&f, 10) != (int64_t)tree->count || f.bad) damaged(number);
}

void store_read(const struct store *store, const struct about *about, struct tree *tree) {
  int folder = open_number(store, about->number);
  if (folder < 0) damaged(about->number);
  read_list(folder, "list", about->number, tree);
  close(folder);
}

int store_open_object(const struct store *store, const char *object) {
  return openat(store->points, object, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

const struct about *store_find(const struct store *store, const char *id) {
  for (size_t i = 0; i < store->count; i++) {
    if (strcmp(store->about[i].id, id) == 0) return &store->about[i];
  }
  return NULL;
}

const struct about *store_newest_whole(const struct store *store, const char *of) {
  for (size_t i = store->count; i-- > 0;) {
    if (strcmp(store->about[i].scope, ".") == 0 && strcmp(store->about[i].of, of) == 0) return &store->about[i];
  }
  return NULL;
}

static bool exists(int folder, const char *name, int64_t *size) {
  struct stat st;
  if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (size != NULL) *size = st.st_size;
  return true;
}

// All that lies in a folder of ours: files only.
static void remove_folder(const struct store *store, int64_t number) {
  char name[NUMBER_MAX];
  snprintf(name, sizeof name, "%lld", (long long)number);
  int fd = open_number(store, number);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (entries == NULL) return;
  const struct dirent *entry;
  while ((entry = readdir(entries)) != NULL) {
    if (entry->d_name[0] != '.') unlinkat(fd, entry->d_name, 0);
  }
  closedir(entries);
  unlinkat(store->points, name, AT_REMOVEDIR);
}

static int object_order(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

// Removes the folder of an ended point when no content is left in it.
static void remove_if_empty(const struct store *store, int64_t number) {
  int fd = open_number(store, number);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (entries == NULL) return;
  int64_t size;
  bool empty = !exists(fd, "list", NULL) && exists(fd, "ended", &size) && size == 0;
  const struct dirent *entry;
  while (empty && (entry = readdir(entries)) != NULL) empty = entry->d_name[0] < '0' || entry->d_name[0] > '9';
  closedir(entries);
  if (empty) remove_folder(store, number);
}

// Removes what only the ended point `number` needed. Done again after a crash, it finds the rest.
static void clear_ended(const struct store *store, int64_t number) {
  int folder = open_number(store, number);
  struct about about;
  if (folder < 0 || !read_about(folder, number, &about)) return remove_folder(store, number);
  struct tree ended = {0}, next = {0};
  read_list(folder, "ended", number, &ended);
  for (size_t i = 0; i < store->count; i++) {
    const struct about *a = &store->about[i];
    if (a->number <= number || strcmp(a->scope, ".") != 0 || strcmp(a->of, about.of) != 0) continue;
    store_read(store, a, &next);
    break;
  }
  const char **needed = calloc(next.count + 1, sizeof *needed);
  if (needed == NULL) fault(ENOMEM, "restore points", NULL);
  for (size_t i = 0; i < next.count; i++) needed[i] = next.entries[i].object;
  qsort(needed, next.count, sizeof *needed, object_order);
  for (size_t i = 0; i < ended.count; i++) {
    const char *object = ended.entries[i].object;
    if (object[0] == '\0' || bsearch(&object, needed, next.count, sizeof *needed, object_order) != NULL) continue;
    unlinkat(store->points, object, 0);
    int64_t of = strtoll(object, NULL, 10);
    if (of != number) remove_if_empty(store, of);
  }
  free(needed);
  int fd = openat(folder, "ended", O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) close(fd);
  close(folder);
  remove_if_empty(store, number);
}

bool store_end_oldest(struct store *store, int64_t before) {
  if (store->count == 0 || store->about[0].number >= before) return false;
  int64_t number = store->about[0].number;
  int folder = open_number(store, number);
  if (folder < 0 || renameat(folder, "list", folder, "ended") < 0) broken("restore points");
  close(folder);
  store->about++;
  store->count--;
  clear_ended(store, number);
  return true;
}

static int number_order(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static int64_t *folders(const struct store *store, size_t *count) {
  int64_t *numbers = NULL;
  size_t room = 0;
  *count = 0;
  int fd = openat(store->points, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (entries == NULL) broken("restore points");
  const struct dirent *entry;
  while (errno = 0, (entry = readdir(entries)) != NULL) {
    char *end;
    long long number = strtoll(entry->d_name, &end, 10);
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || *end != '\0') continue;
    if (*count == room) {
      room = room == 0 ? 64 : room * 2;
      numbers = reallocarray(numbers, room, sizeof *numbers);
      if (numbers == NULL) fault(ENOMEM, "restore points", NULL);
    }
    numbers[(*count)++] = number;
  }
  if (errno != 0) broken("restore points");
  closedir(entries);
  if (*count > 1) qsort(numbers, *count, sizeof *numbers, number_order);
  return numbers;
}

struct store store_open(const char *path, bool change) {
  struct store store = {.fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (store.fd < 0) broken(path);
  if (change && mkdirat(store.fd, "points", 0700) < 0 && errno != EEXIST) broken(path);
  int lock = openat(store.fd, "lock", (change ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC, 0600);
  store.points = openat(store.fd, "points", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  // Nobody has ever made one.
  if (!change && (lock < 0 || store.points < 0) && errno == ENOENT) return store;
  if (lock < 0 || store.points < 0) broken(path);
  while (flock(lock, change ? LOCK_EX : LOCK_SH) < 0) {
    if (errno != EINTR) broken(path);
  }
  size_t count;
  int64_t *numbers = folders(&store, &count);
  store.about = calloc(count + 1, sizeof *store.about);
  if (store.about == NULL) fault(ENOMEM, path, NULL);
  int64_t *half = calloc(count + 1, sizeof *half);
  size_t halves = 0;
  for (size_t i = 0; i < count; i++) {
    int folder = open_number(&store, numbers[i]);
    if (folder < 0) continue;
    int64_t size = 0;
    if (exists(folder, "list", NULL)) {
      if (read_about(folder, numbers[i], &store.about[store.count])) store.count++;
    } else if (half != NULL && (!exists(folder, "ended", &size) || size > 0)) {
      half[halves++] = size > 0 ? numbers[i] : -numbers[i];
    }
    close(folder);
  }
  for (size_t i = 0; change && i < halves; i++) {
    if (half[i] < 0) remove_folder(&store, -half[i]);
    else clear_ended(&store, half[i]);
  }
  free(half);
  free(numbers);
  return store;
}

int store_begin(struct store *store, int64_t *number) {
  size_t count;
  int64_t *numbers = folders(store, &count);
  *number = count == 0 ? 1 : numbers[count - 1] + 1;
  free(numbers);
  char name[NUMBER_MAX];
  snprintf(name, sizeof name, "%lld", (long long)*number);
  if (mkdirat(store->points, name, 0700) < 0) return -1;
  return open_number(store, *number);
}

static void put_text(FILE *out, const char *text) { fwrite(text, 1, strlen(text) + 1, out); }
static void put_number(FILE *out, int64_t n) { fprintf(out, "%lld%c", (long long)n, 0); }

static void save(FILE *out) {
  if (fflush(out) != 0 || fsync(fileno(out)) < 0 || fclose(out) != 0) broken("restore points");
}

static FILE *create(int folder, const char *name) {
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
  if (out == NULL) broken("restore points");
  return out;
}

void store_complete(struct store *store, int folder, const struct about *a, const struct tree *tree) {
  FILE *out = create(folder, "about");
  put_text(out, FORMAT);
  put_text(out, a->id), put_text(out, a->of), put_text(out, a->scope);
  put_text(out, a->call), put_text(out, a->session), put_text(out, a->tool);
  put_number(out, a->at), put_number(out, a->entries), put_number(out, a->bytes);
  put_number(out, a->own), put_number(out, a->unread), put_number(out, a->moving);
  save(out);
  out = create(folder, "part");
  for (size_t i = 0; i < tree->count; i++) {
    const struct entry *e = &tree->entries[i];
    fprintf(out, "%u%c%o%c", e->marks, 0, e->mode, 0);
    put_number(out, e->size), put_number(out, e->mtime), put_number(out, e->ctime);
    put_number(out, (int64_t)e->ino), put_number(out, (int64_t)e->links);
    put_text(out, e->object), put_text(out, e->xattrs), put_text(out, e->target), put_text(out, e->path);
  }
  put_text(out, "end");
  put_number(out, (int64_t)tree->count);
  save(out);
  // The contents are clones, which are made in the file system's own log before the list is, or copies that were flushed: a log is
  // written in order, so that a list that is on disk has its contents there too. The folders' own names come last.
  if (renameat(folder, "part", folder, "list") < 0 || fsync(folder) < 0 || fsync(store->points) < 0) broken("restore points");
}
