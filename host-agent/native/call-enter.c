// SPDX-License-Identifier: Apache-2.0
// call-enter: the first program of a call, run by the runner.
//
//   call-enter --cgroup DIR [--bind MODE SOURCE DEST]... [--hide SOURCE DEST]... -- PROGRAM ARG... @bindings ARG... @sealed ARG...
//     MODE: ro|rw[-file|-directory]
//
// Joins the call's control group, takes the call's resource limits on itself (all later processes inherit both), opens what is
// to be made visible and becomes PROGRAM (bubblewrap) with `@bindings` replaced by --ro-bind-fd/--bind-fd arguments.
//
// Over what is to be hidden it has mounted, after the bindings: over a directory an empty one that can be passed through but not
// listed (a program is told EACCES and does not take it for empty), over anything else /dev/null without its device. `@sealed`
// is where those directories become read-only: between the two stand the files of ours that must lie in one. What is not there
// needs no hiding; what cannot be looked at, or is a link, which no mount can lie over, refuses the call.
//
// Why the sources are opened here: bubblewrap follows symbolic links in the sources it is given, and an agent may own
// directories above them. Opened with RESOLVE_NO_SYMLINKS and passed as a descriptor, the path that was judged is the one that
// is mounted, whatever is renamed meanwhile (A09, A10). What cannot be opened so is left out and told on descriptor 3.
//
// Descriptors: 0, 1, 2 are the call's; 3 is the report (see call-report.h). All others are closed. Exit status 125: no call ran.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup-join.h"
#include "json-out.h"

#define REPORT_FD 3
#define REFUSED 125
#define MAX_BINDINGS 64
#define MAX_HIDDEN 64

enum kind { ANY, FILE_ONLY, DIRECTORY_ONLY };

struct binding {
  bool writable;
  enum kind kind;
  const char *source;
  const char *dest;
  int fd;
};

struct hidden {
  const char *source;
  const char *dest;
  bool directory;
};

_Noreturn static void refuse(const char *what, int error) {
  struct json j;
  json_begin(&j);
  json_string(&j, "error", what);
  json_errno(&j, "errno", error);
  json_send(&j, REPORT_FD);
  _exit(REFUSED);
}

static void tell_skipped(const char *path, int error) {
  struct json j;
  json_begin(&j);
  json_string(&j, "skipped", path);
  json_errno(&j, "errno", error);
  if (!json_send(&j, REPORT_FD)) _exit(REFUSED);
}

// R37. A limit that is already lower stays: only a privileged process may raise one.
static void lower_limit(__rlimit_resource_t what, rlim_t wanted) {
  struct rlimit limit;
  if (getrlimit(what, &limit) < 0) refuse("limits", errno);
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) wanted = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = wanted;
  if (setrlimit(what, &limit) < 0) refuse("limits", errno);
}

// Node ignores some signals and blocks none; the call is to start as from a fresh login.
static void default_signals(void) {
  struct sigaction fresh = {.sa_handler = SIG_DFL};
  for (int s = 1; s <= SIGRTMAX; s++) sigaction(s, &fresh, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool parse_mode(const char *mode, struct binding *b) {
  if (strncmp(mode, "ro", 2) != 0 && strncmp(mode, "rw", 2) != 0) return false;
  b->writable = mode[1] == 'w';
  b->kind = mode[2] == '\0' ? ANY : strcmp(mode + 2, "-file") == 0 ? FILE_ONLY : DIRECTORY_ONLY;
  return b->kind != DIRECTORY_ONLY || strcmp(mode + 2, "-directory") == 0;
}

// True when opened. False when it is not there or not reachable without a symbolic link; anything else refuses the call.
static bool open_source(struct binding *b) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  long fd = syscall(SYS_openat2, AT_FDCWD, b->source, &how, sizeof how);
  if (fd >= 0) {
    struct stat st;
    if (fstat((int)fd, &st) < 0) refuse("binding", errno);
    if (b->kind != ANY && S_ISDIR(st.st_mode) != (b->kind == DIRECTORY_ONLY)) {
      close((int)fd);
      tell_skipped(b->dest, b->kind == DIRECTORY_ONLY ? ENOTDIR : EISDIR);
      return false;
    }
    // Inherited by PROGRAM only from here on: O_CLOEXEC is kept until the opening has succeeded.
    if (fcntl((int)fd, F_SETFD, 0) < 0) refuse("binding", errno);
    b->fd = (int)fd;
    return true;
  }
  int error = errno;
  if (error != ENOENT && error != ENOTDIR && error != ELOOP && error != EACCES && error != ENAMETOOLONG) refuse("binding", error);
  tell_skipped(b->dest, error);
  return false;
}

// True when there is something to hide.
static bool look_at(struct hidden *h) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .mode = 0, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  long fd = syscall(SYS_openat2, AT_FDCWD, h->source, &how, sizeof how);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return false;
  struct stat st;
  if (fd < 0 || fstat((int)fd, &st) < 0) refuse("hidden", errno);
  close((int)fd);
  h->directory = S_ISDIR(st.st_mode);
  return true;
}

static void put(char **argv, size_t *n, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) argv[(*n)++] = (char *)(uintptr_t)words[i];
}

static void put_hidden(char **argv, size_t *n, const struct hidden *h) {
  if (h->directory) put(argv, n, (const char *[]){"--perms", "0111", "--tmpfs", h->dest}, 4);
  else put(argv, n, (const char *[]){"--ro-bind", "/dev/null", h->dest}, 3);
}

static void put_seal(char **argv, size_t *n, const struct hidden *h) {
  if (h->directory) put(argv, n, (const char *[]){"--remount-ro", h->dest}, 2);
}

_Noreturn static void become(char **program, int count, const struct binding *bindings, int opened, const struct hidden *hidden, int hiding) {
  size_t size = (size_t)count + 3 * (size_t)opened + 6 * (size_t)hiding + 1;
  char **argv = calloc(size, sizeof *argv);
  if (argv == NULL) refuse("memory", ENOMEM);
  size_t n = 0;
  bool replaced = false, sealed = false;
  for (int i = 0; i < count; i++) {
    // Only the first of each, in this order: whatever the agent chose stands behind them.
    if (replaced && !sealed && strcmp(program[i], "@sealed") == 0) {
      sealed = true;
      for (int h = 0; h < hiding; h++) put_seal(argv, &n, &hidden[h]);
      continue;
    }
    if (replaced || strcmp(program[i], "@bindings") != 0) {
      argv[n++] = program[i];
      continue;
    }
    replaced = true;
    for (int b = 0; b < opened; b++) {
      char *number;
      if (asprintf(&number, "%d", bindings[b].fd) < 0) refuse("memory", ENOMEM);
      argv[n++] = bindings[b].writable ? "--bind-fd" : "--ro-bind-fd";
      argv[n++] = number;
      argv[n++] = (char *)(uintptr_t)bindings[b].dest;
    }
    for (int h = 0; h < hiding; h++) put_hidden(argv, &n, &hidden[h]);
  }
  argv[n] = NULL;
  if (!replaced || !sealed) refuse("arguments", EINVAL);
  extern char **environ;
  execve(argv[0], argv, environ);
  refuse(argv[0], errno);
}

int main(int argc, char **argv) {
  // Without a report there is no way to tell a call that ran from one that did not.
  if (fcntl(REPORT_FD, F_GETFD) < 0) _exit(REFUSED);
  if (syscall(SYS_close_range, REPORT_FD + 1, ~0U, 0) < 0) refuse("close_range", errno);

  static struct binding bindings[MAX_BINDINGS];
  static struct hidden hidden[MAX_HIDDEN];
  const char *cgroup = NULL;
  int wanted = 0, hiding = 0, i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0;) {
    if (strcmp(argv[i], "--cgroup") == 0 && i + 1 < argc) {
      cgroup = argv[i + 1];
      i += 2;
    } else if (strcmp(argv[i], "--bind") == 0 && i + 3 < argc && wanted < MAX_BINDINGS) {
      struct binding b = {.source = argv[i + 2], .dest = argv[i + 3], .fd = -1};
      if (!parse_mode(argv[i + 1], &b) || b.source[0] != '/' || b.dest[0] != '/') refuse("arguments", EINVAL);
      bindings[wanted++] = b;
      i += 4;
    } else if (strcmp(argv[i], "--hide") == 0 && i + 2 < argc && hiding < MAX_HIDDEN) {
      struct hidden h = {.source = argv[i + 1], .dest = argv[i + 2]};
      if (h.source[0] != '/' || h.dest[0] != '/') refuse("arguments", EINVAL);
      hidden[hiding++] = h;
      i += 3;
    } else {
      refuse("arguments", EINVAL);
    }
  }
  if (cgroup == NULL || i + 1 >= argc || argv[i + 1][0] != '/') refuse("arguments", EINVAL);

  int error = cgroup_join(cgroup);
  if (error != 0) refuse("cgroup", error);
  default_signals();
  lower_limit(RLIMIT_NOFILE, 1024);
  lower_limit(RLIMIT_NPROC, 256);
  lower_limit(RLIMIT_CORE, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) refuse("no_new_privs", errno);

  int opened = 0;
  for (int b = 0; b < wanted; b++) {
    if (open_source(&bindings[b])) bindings[opened++] = bindings[b];
  }
  int there = 0;
  for (int h = 0; h < hiding; h++) {
    if (look_at(&hidden[h])) hidden[there++] = hidden[h];
  }
  become(argv + i + 1, argc - i - 1, bindings, opened, hidden, there);
}
