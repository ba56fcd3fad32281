// SPDX-License-Identifier: Apache-2.0
// race FILE-TOOL|naive DIR COUNT: attack case A10. DIR/ws/x is flipped between a directory and a link to DIR/outside as fast as
// one process can, while this one makes COUNT attempts on names below it. Prints {"tries","done","refused","other","escapes"}.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(x) \
  do { \
    if ((x) < 0) { \
      perror(#x); \
      exit(1); \
    } \
  } while (0)

static char *const attempts[][8] = {
    {"", "ws", "write", "x/new", "--mode", "replace", NULL}, {"", "ws", "write", "x/new", "--mode", "append", NULL},
    {"", "ws", "mkdir", "x/dir/sub", "--parents", NULL},      {"", "ws", "delete", "x/victim", "--recursive", NULL},
    {"", "ws", "read", "x/secret", NULL},                     {"", "ws", "search", "x", "--text", "CANARY", NULL},
    {"", "ws", "delete", "x/dir", "--recursive", NULL},       {"", "ws", "list", "x", NULL},
};
#define ATTEMPTS (sizeof attempts / sizeof *attempts)

static bool exists(const char *path) { return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  CHECK(fd);
  CHECK(write(fd, text, strlen(text)));
  close(fd);
}

// What lies outside is exactly as it was made, and no output shows it.
static int escaped(int output) {
  int found = 0;
  if (exists("outside/new")) found++, unlink("outside/new");
  if (exists("outside/dir")) found++, rmdir("outside/dir/sub"), rmdir("outside/dir");
  if (!exists("outside/victim/keep")) found++, mkdir("outside/victim", 0755), write_file("outside/victim/keep", "");
  char text[4096];
  ssize_t n = pread(output, text, sizeof text, 0);
  if (n > 0 && (memmem(text, (size_t)n, "CANARY", 6) != NULL || memmem(text, (size_t)n, "only-outside", 12) != NULL)) found++;
  CHECK(ftruncate(output, 0));
  CHECK(lseek(output, 0, SEEK_SET));
  return found;
}

static int naive(long i) {
  if (i % 2 == 0) {
    int fd = open("ws/x/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0) close(fd);
    return fd >= 0 ? 0 : 1;
  }
  return unlink("ws/x/victim/keep") == 0 ? 0 : 1;
}

static int run_tool(const char *tool, long i, int input, int output) {
  char *argv[8];
  memcpy(argv, attempts[(size_t)i % ATTEMPTS], sizeof argv);
  argv[0] = (char *)(size_t)tool;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  CHECK(lseek(input, 0, SEEK_SET));
  pid_t pid;
  if (posix_spawn(&pid, tool, &actions, NULL, argv, (char *[]){NULL}) != 0) exit(1);
  posix_spawn_file_actions_destroy(&actions);
  int status;
  CHECK(waitpid(pid, &status, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void flip(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (getppid() == parent) {
    CHECK(renameat2(AT_FDCWD, "ws/x", AT_FDCWD, "ws/link", RENAME_EXCHANGE));
    // A pause of changing length: without one, a path walk nearly always sees the same of the two.
    for (volatile int spin = rand() % 20000; spin > 0; spin--) continue;
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  CHECK(chdir(argv[2]));
  CHECK(mkdir("ws", 0755));
  CHECK(mkdir("ws/x", 0755));
  CHECK(mkdir("ws/x/victim", 0755));
  write_file("ws/x/secret", "inside\n");
  CHECK(mkdir("outside", 0755));
  CHECK(mkdir("outside/victim", 0755));
  write_file("outside/victim/keep", "");
  write_file("outside/secret", "CANARY\n");
  write_file("outside/only-outside", "");
  CHECK(symlink("../outside", "ws/link"));
  int input = memfd_create("input", MFD_CLOEXEC), output = memfd_create("output", MFD_CLOEXEC);
  CHECK(input);
  CHECK(output);
  CHECK(write(input, "text\n", 5));

  pid_t self = getpid(), flipper = fork();
  CHECK(flipper);
  if (flipper == 0) flip(self);
  struct stat st;
  do CHECK(lstat("ws/x", &st));
  while (!S_ISLNK(st.st_mode));
  long tries = atol(argv[3]), done = 0, refused = 0, other = 0, escapes = 0;
  for (long i = 0; i < tries; i++) {
    int status = strcmp(argv[1], "naive") == 0 ? naive(i) : run_tool(argv[1], i, input, output);
    if (status == 0) done++;
    else if (status == 1) refused++;
    else other++;
    escapes += escaped(output);
  }
  kill(flipper, SIGKILL);
  waitpid(flipper, NULL, 0);
  printf("{\"tries\":%ld,\"done\":%ld,\"refused\":%ld,\"other\":%ld,\"escapes\":%ld}\n", tries, done, refused, other, escapes);
  return 0;
}
