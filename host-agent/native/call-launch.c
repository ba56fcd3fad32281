// SPDX-License-Identifier: Apache-2.0
// call-launch: builds the sandbox of one call and becomes the call's PID 1. Run by the runner, ahead of the call or with it.
//
//   call-launch --cgroup DIR --stage DIR --size BYTES WORD...
//
// WORDs come in two parts, which mean the same and are carried out in order: on the command line what every call of this kind
// has, and on descriptor 4 (words.h) what this call has. Between them it waits. What it knows while it waits is the first part.
//
//   --image PATH                  --image-of SOURCE PATH              --scratch PATH     --dev    --proc    --link TARGET PATH        see tree.h
//   --bind MODE SOURCE DEST       --hide DEST
//   --env NAME VALUE              one variable of the command's environment, which has no others
//   --no-input                    the call's input is its own /dev/null
//   --secret VALUE                the command gets it through a pipe, from descriptor 5 (SECRETS_FD) on; only on descriptor 4
//   -- PROGRAM ARG...             the end: PROGRAM (call-init) is executed within the sandbox
//
// The child is born in the call's control group, in new namespaces of every kind but time's, with one user and one group. It is
// PID 1 there before it does anything; its parent, this program, only waits for it, and takes it along when it dies.
//
// Descriptors: 0, 1, 2 are the call's; 3 is the report (see call-report.h); from 5 on its secrets; all others are closed. Exit status 125: no call ran.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/refuse.h"
#include "launch/standing.h"
#include "launch/tree.h"
#include "launch/words.h"

#define WORDS_FD 4
#define SECRETS_FD 5
#define MAX_ENV 64
#define MAX_SECRETS 4
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static char *environment[MAX_ENV + 1];
static int variables = 0;

static void add_variable(const char *name, const char *value) {
  if (variables == MAX_ENV) refuse("environment", E2BIG);
  if (asprintf(&environment[variables++], "%s=%s", name, value) < 0) refuse("environment", ENOMEM);
}

static bool no_input = false;

// Only in the call's own tree: a descriptor of the runner's /dev has no name there, and the call's profile would shut it.
static void take_no_input(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || dup2(fd, 0) < 0) refuse("input", errno);
  close(fd);
}

static char *secrets[MAX_SECRETS];
static int secret_count = 0;
// The command line is in everybody's sight.
static bool on_words_fd = false;

static void add_secret(char *value) {
  if (!on_words_fd) refuse("arguments", EINVAL);
  if (secret_count == MAX_SECRETS) refuse("secrets", E2BIG);
  secrets[secret_count++] = value;
}

// Each in the kernel's hands alone, to be read once: not in a file, not in what /proc shows of the call (R47). Nothing of ours is open
// that far up any more.
static void hand_over_secrets(void) {
  for (int n = 0; n < secret_count; n++) {
    size_t size = strlen(secrets[n]);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) refuse("secrets", errno);
    // Whole or not at all: nobody reads before the command does.
    if (write(ends[1], secrets[n], size) != (ssize_t)size) refuse("secrets", ENOSPC);
    explicit_bzero(secrets[n], size);
    // Above all others first: the place of one may be where the end of another's pipe has come to lie.
    int high = fcntl(ends[0], F_DUPFD_CLOEXEC, SECRETS_FD + MAX_SECRETS);
    if (high < 0) refuse("secrets", errno);
    close(ends[0]);
    close(ends[1]);
    int place = SECRETS_FD + n;
    // The command reads as from any pipe; it stays open over call-init, which knows how many there are.
    if (dup2(high, place) < 0 || fcntl(place, F_SETFL, 0) < 0) refuse("secrets", errno);
    close(high);
  }
}

// Carries out words up to `--` or the end, and answers what is behind.
static char **carry_out(char **words) {
  while (*words != NULL) {
    const char *word = words[0], *a = words[1];
    const char *b = a == NULL ? NULL : words[2], *c = b == NULL ? NULL : words[3];
    int taken = 1;
    if (strcmp(word, "--") == 0) return words + 1;
    if (strcmp(word, "--dev") == 0) tree_dev();
    else if (strcmp(word, "--proc") == 0) tree_proc();
    else if (strcmp(word, "--no-input") == 0) no_input = true;
    else if (a != NULL && strcmp(word, "--secret") == 0) add_secret(words[1]), taken = 2;
    else if (a != NULL && strcmp(word, "--image") == 0 && a[0] == '/') tree_image(a, a), taken = 2;
    else if (b != NULL && strcmp(word, "--image-of") == 0 && a[0] == '/' && b[0] == '/') tree_image(a, b), taken = 3;
    else if (a != NULL && strcmp(word, "--scratch") == 0 && a[0] == '/') tree_scratch(a), taken = 2;
    else if (a != NULL && strcmp(word, "--hide") == 0 && a[0] == '/') tree_hide(a), taken = 2;
    else if (b != NULL && strcmp(word, "--link") == 0 && b[0] == '/') tree_link(a, b), taken = 3;
    else if (b != NULL && strcmp(word, "--env") == 0) add_variable(a, b), taken = 3;
    else if (c != NULL && strcmp(word, "--bind") == 0 && c[0] == '/') tree_bind(a, b, c), taken = 4;
    else refuse("arguments", EINVAL);
    words += taken;
  }
  return words;
}

struct call {
  const char *cgroup, *stage, *size;
  char **prepare;
  uid_t uid;
  gid_t gid;
};

_Noreturn static void become(const struct call *call) {
  standing_die_with_parent();
  // Its root is the group it was born in.
  if (unshare(CLONE_NEWCGROUP) < 0) refuse("cgroup namespace", errno);
  // No terminal of the runner's is its own.
  if (setsid() < 0) refuse("session", errno);
  standing_ids(call->uid, call->gid);
  standing_limits();
  standing_only_mount();
  umask(0);
  tree_begin(call->stage, call->size);
  if (*carry_out(call->prepare) != NULL) refuse("arguments", EINVAL);

  char **words = words_read(WORDS_FD);
  if (words == NULL) _exit(REFUSED);
  on_words_fd = true;
  char **program = carry_out(words);
  if (*program == NULL || (*program)[0] != '/') refuse("arguments", EINVAL);
  tree_enter();
  if (no_input) take_no_input();
  hand_over_secrets();
  standing_end();
  execve(program[0], program, environment);
  refuse("call-init", errno);
}

static pid_t born(const struct call *call) {
  int cgroup = open(call->cgroup, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (cgroup < 0) refuse("cgroup", errno);
  struct clone_args how = {.flags = NAMESPACES | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (unsigned int)cgroup};
  long child = syscall(SYS_clone3, &how, sizeof how);
  if (child < 0) refuse("namespaces", errno);
  return (pid_t)child;
}

static const char *option(char **argv, int at, const char *name) {
  if (argv[at] == NULL || strcmp(argv[at], name) != 0 || argv[at + 1] == NULL || argv[at + 1][0] == '\0') refuse("arguments", EINVAL);
  return argv[at + 1];
}

int main(int argc, char **argv) {
  // Without a report there is no way to tell a call that ran from one that did not.
  if (fcntl(REPORT_FD, F_GETFD) < 0) _exit(REFUSED);
  if (syscall(SYS_close_range, WORDS_FD + 1, ~0U, 0) < 0 || fcntl(WORDS_FD, F_SETFD, FD_CLOEXEC) < 0) refuse("descriptors", errno);
  if (argc < 7) refuse("arguments", EINVAL);
  struct call call = {
      .cgroup = option(argv, 1, "--cgroup"), .stage = option(argv, 3, "--stage"), .size = option(argv, 5, "--size"),
      .prepare = argv + 7, .uid = geteuid(), .gid = getegid(),
  };
  standing_begin();
  standing_die_with_parent();

  pid_t child = born(&call);
  if (child == 0) become(&call);
  // Only the call itself keeps its pipes open.
  if (syscall(SYS_close_range, 0, ~0U, 0) < 0) _exit(REFUSED);
  int status;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) _exit(REFUSED);
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
