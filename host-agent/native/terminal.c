// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define INPUT 0
#define OUTPUT 1
#define DRAIN_STEP_MS 100
#define DRAIN_STEPS 10

// At most one read of each side is held, so the clock and the children of PID 1 are looked at between any two.
struct held {
  char bytes[4096];
  size_t from, to;
};

static int master = -1;
static int slave = -1;
static struct held typed, shown;

static bool is_empty(const struct held *held) { return held->from == held->to; }

static bool unblocked(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

bool terminal_open(const char *text) {
  struct winsize size = {0};
  char end;
  if (sscanf(text, "%4hux%4hu%c", &size.ws_col, &size.ws_row, &end) != 2 || size.ws_col == 0 || size.ws_row == 0) {
    errno = EINVAL;
    return false;
  }
  int locked = 0;
  struct termios how;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (master < 0 || ioctl(master, TIOCSPTLCK, &locked) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0) return false;
  // By the master and not by a name. Kept open: the terminal stands as long as the call, whoever closes it meanwhile.
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0 || tcgetattr(slave, &how) < 0) return false;
  how.c_iflag |= IUTF8;
  return tcsetattr(slave, TCSANOW, &how) == 0 && unblocked(INPUT) && unblocked(OUTPUT);
}

bool terminal_take(void) {
  if (slave < 0) return true;
  if (ioctl(slave, TIOCSCTTY, 0) < 0) return false;
  return dup2(slave, 0) == 0 && dup2(slave, 1) == 1 && dup2(slave, 2) == 2;
}

void terminal_await(struct pollfd fds[TERMINAL_FDS]) {
  fds[0] = (struct pollfd){.fd = master >= 0 && is_empty(&typed) ? INPUT : -1, .events = POLLIN};
  fds[1] = (struct pollfd){.fd = is_empty(&shown) ? -1 : OUTPUT, .events = POLLOUT};
  fds[2] = (struct pollfd){.fd = master};
  if (is_empty(&shown)) fds[2].events |= POLLIN;
  if (!is_empty(&typed)) fds[2].events |= POLLOUT;
  if (fds[2].events == 0) fds[2].fd = -1;
}

// False when nothing comes from there any more.
static bool fill(struct held *held, int fd) {
  ssize_t n = read(fd, held->bytes, sizeof held->bytes);
  held->from = 0;
  held->to = n > 0 ? (size_t)n : 0;
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool pour(struct held *held, int fd) {
  ssize_t n = write(fd, held->bytes + held->from, held->to - held->from);
  if (n > 0) held->from += (size_t)n;
  return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static void hang_up(void) {
  close(master);
  master = -1;
  typed.from = typed.to = 0;
}

void terminal_move(const struct pollfd fds[TERMINAL_FDS]) {
  // Nobody takes it any more: the call's end is then told by the report.
  if (fds[1].revents != 0 && !pour(&shown, OUTPUT)) shown.from = shown.to = 0;
  // Nobody reads what was typed; said at each look for as long as what was shown waits.
  if ((fds[2].revents & (POLLHUP | POLLERR)) != 0) typed.from = typed.to = 0;
  if ((fds[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && is_empty(&shown) && !fill(&shown, master)) return hang_up();
  if ((fds[2].revents & POLLOUT) != 0 && !is_empty(&typed) && !pour(&typed, master)) return hang_up();
  if (fds[0].revents != 0 && !fill(&typed, INPUT)) hang_up();
}

void terminal_drain(void) {
  if (master < 0) return;
  typed.from = typed.to = 0;
  for (int step = 0; step < DRAIN_STEPS;) {
    // The kernel hands on all that was written before it says that there is no more.
    if (is_empty(&shown) && (!fill(&shown, master) || is_empty(&shown))) return;
    struct pollfd output = {.fd = OUTPUT, .events = POLLOUT};
    int n = poll(&output, 1, DRAIN_STEP_MS);
    if (n == 0) step += 1;
    else if (n < 0 || !pour(&shown, OUTPUT)) return;
  }
}
