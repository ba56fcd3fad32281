// SPDX-License-Identifier: Apache-2.0
// call-init: PID 1 of a call, the last program of ours before the command.
//
//   call-init --not-after BOOTMS --label LABEL --filter NAME [--terminal COLUMNSxROWS] [--secrets COUNT] --cwd DIR -- COMMAND ARG...
//
// It keeps the promises of a permit from inside, so that they hold when the runner is stopped, hung or dead:
// no command without the right label and its filter of system calls, nothing of the call after not-after, nothing of the call after
// the command's end.
// Being PID 1 it cannot be signalled from inside the call, and its end is the end of every process of the namespace.
// It forwards nothing but the bytes of a terminal and listens to nobody; the only ways out are the command's end, the deadline and the runner's end of the report.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "call-report.h"
#include "exec-command.h"
#include "label.h"
#include "seccomp-filter.h"
#include "terminal.h"

#define REFUSED 125
#define DEADLINE 124
#define SECRETS_FD 5
#define MAX_SECRETS 4

static char label[1024] = "unread";

_Noreturn static void refuse(const char *what, int error) {
  report_error(label, what, error);
  _exit(REFUSED);
}

struct ask {
  int64_t not_after;
  const char *label;
  const char *filter;
  const char *terminal;
  // How many pipes with a value each stand open from SECRETS_FD on (call-launch): for the command, which reads them once.
  int secrets;
  const char *cwd;
  char **command;
};

static struct ask parse(int argc, char **argv) {
  struct ask ask = {.not_after = -1};
  int i = 1;
  for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
    const char *value = argv[i + 1];
    if (strcmp(argv[i], "--not-after") == 0) {
      char *end;
      errno = 0;
      ask.not_after = strtoll(value, &end, 10);
      if (errno != 0 || *end != '\0' || value[0] < '0' || value[0] > '9') refuse("arguments", EINVAL);
    } else if (strcmp(argv[i], "--label") == 0) {
      ask.label = value;
    } else if (strcmp(argv[i], "--filter") == 0) {
      if (!seccomp_filter_known(value)) refuse("filter", EINVAL);
      ask.filter = value;
    } else if (strcmp(argv[i], "--terminal") == 0) {
      ask.terminal = value;
    } else if (strcmp(argv[i], "--secrets") == 0) {
      if (value[0] < '1' || value[0] > '0' + MAX_SECRETS || value[1] != '\0') refuse("arguments", EINVAL);
      ask.secrets = value[0] - '0';
    } else if (strcmp(argv[i], "--cwd") == 0) {
      ask.cwd = value;
    } else {
      refuse("arguments", EINVAL);
    }
  }
  if (ask.not_after < 0 || ask.label == NULL || ask.filter == NULL || ask.cwd == NULL || i + 1 >= argc) refuse("arguments", EINVAL);
  ask.command = argv + i + 1;
  return ask;
}

// CLOCK_BOOTTIME: a machine that slept through the deadline wakes up past it, and no set clock moves it (R3, A14).
static int arm(int64_t not_after) {
  int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  struct itimerspec when = {.it_value = {.tv_sec = not_after / 1000, .tv_nsec = (not_after % 1000) * 1000000}};
  // Zero would disarm the timer instead of firing it.
  if (when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0) when.it_value.tv_nsec = 1;
  if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) refuse("deadline", errno);
  return fd;
}

static int watch_children(void) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  if (sigprocmask(SIG_SETMASK, &children, NULL) < 0) refuse("signals", errno);
  int fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) refuse("signals", errno);
  return fd;
}

struct failure {
  const char *what;
  int error;
};

// Not closed at the command's exec, as all else is.
static bool leave_secrets(int count) {
  for (int n = 0; n < count; n += 1) {
    if (fcntl(SECRETS_FD + n, F_SETFD, 0) < 0) return false;
  }
  return true;
}

// The pipe closes at a successful execve; what comes through it is why there was none. Same program on both ends: a pointer to
// a constant means the same there. Not waited for here: a working directory on a hung disk must not outlast the deadline.
static pid_t start(const struct ask *ask, int *failed) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) < 0) refuse("pipe", errno);
  pid_t child = fork();
  if (child < 0) refuse("fork", errno);
  if (child == 0) {
    struct failure failure = {.what = "secrets"};
    if (leave_secrets(ask->secrets)) exec_command(ask->cwd, ask->filter, ask->command, &failure.what);
    failure.error = errno;
    ssize_t n = write(pipe_fds[1], &failure, sizeof failure);
    _exit(n == (ssize_t)sizeof failure ? REFUSED : REFUSED + 1);
  }
  for (int n = 0; n < ask->secrets; n += 1) close(SECRETS_FD + n);
  close(pipe_fds[1]);
  *failed = pipe_fds[0];
  return child;
}

static void refuse_if_failed(int failed) {
  struct failure failure;
  ssize_t n;
  do n = read(failed, &failure, sizeof failure);
  while (n < 0 && errno == EINTR);
  if (n == (ssize_t)sizeof failure) refuse(failure.what, failure.error);
}

// Every process of the namespace but this one. A fork that races it finds the signal pending and does not happen.
static void kill_all(void) { kill(-1, SIGKILL); }

// Between two looks at the clock. Without a bound, a command whose orphans end as fast as they are reaped would keep us from it.
#define REAP_AT_ONCE 64

enum reaped { NONE_LEFT, MORE, COMMAND };

// Reaps what has ended, orphans too.
static enum reaped reap(pid_t command, int *status) {
  for (int n = 0; n < REAP_AT_ONCE; n += 1) {
    pid_t p = waitpid(-1, status, WNOHANG);
    if (p <= 0) return NONE_LEFT;
    if (p == command) return COMMAND;
  }
  return MORE;
}

int main(int argc, char **argv) {
  // All but 0, 1, 2: the report and whatever else was left open must not reach the command.
  if (syscall(SYS_close_range, REPORT_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0) _exit(REFUSED);
  if (fcntl(REPORT_FD, F_GETFD) < 0) _exit(REFUSED);
  // Anywhere else its end would be the end of every process that its user may signal: of the whole machine, for root.
  if (getpid() != 1) refuse("pid", EINVAL);
  label_read(label, sizeof label);
  struct ask ask = parse(argc, argv);
  // Before anything of ours is opened, which would lie in their places and be taken for one.
  for (int n = 0; n < ask.secrets; n += 1) {
    if (fcntl(SECRETS_FD + n, F_GETFD) < 0) refuse("secrets", errno);
  }
  if (!label_same(label, ask.label)) {
    report_wrong_label(label);
    _exit(REFUSED);
  }
  // The command has our uid: without this it could trace PID 1, stop its clock and write the report.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) refuse("dumpable", errno);
  umask(022);
  if (ask.terminal != NULL && !terminal_open(ask.terminal)) refuse("terminal", errno);
  int timer = arm(ask.not_after);
  int children = watch_children();
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  if ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 >= ask.not_after) {
    report_deadline(label);
    _exit(DEADLINE);
  }
  report_started(label);
  int failed = -1;
  pid_t command = start(&ask, &failed);

  struct pollfd fds[4 + TERMINAL_FDS] = {
      {.fd = timer, .events = POLLIN},
      {.fd = children, .events = POLLIN},
      {.fd = REPORT_FD, .events = 0},  // a hang-up is always told
      {.fd = failed, .events = POLLIN},
  };
  enum reaped reaped = NONE_LEFT;
  for (;;) {
    terminal_await(fds + 4);
    // What was left over is told by no further signal.
    if (poll(fds, 4 + TERMINAL_FDS, reaped == MORE ? 0 : -1) < 0) {
      if (errno == EINTR) continue;
      int error = errno;
      kill_all();
      refuse("poll", error);
    }
    if (fds[0].revents != 0) {
      kill_all();
      report_deadline(label);
      _exit(DEADLINE);
    }
    // The other end of the report is gone, so the runner is: nobody answers for this call any more.
    if (fds[2].revents != 0) {
      kill_all();
      _exit(REFUSED);
    }
    if (fds[3].revents != 0) {
      refuse_if_failed(failed);
      fds[3].fd = -1;
    }
    terminal_move(fds + 4);
    struct signalfd_siginfo info;
    // Once: one signal stands for all that have ended so far, and a loop would have no end of its own either.
    if (read(children, &info, sizeof info) < 0 && errno != EAGAIN && errno != EINTR) {
      int error = errno;
      kill_all();
      refuse("signals", error);
    }
    int status = 0;
    reaped = reap(command, &status);
    if (reaped != COMMAND) continue;
    kill_all();
    terminal_drain();
    if (WIFSIGNALED(status)) {
      report_signal(label, WTERMSIG(status));
      _exit(128 + WTERMSIG(status));
    }
    report_exit(label, WEXITSTATUS(status));
    _exit(WEXITSTATUS(status));
  }
}
