// SPDX-License-Identifier: Apache-2.0
// A static program that takes one thing until something stops it, for the tests of limits. It says by which errno, if by one, and ends:
//
//   hog KIND     fork | cpu | touch | tmpfs | memfd | unix | pipe | keys | inotify | epoll | disk | files
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1024 * 1024)

static char block[MIB];

static void stopped_by(int error) {
  dprintf(1, "stopped %s\n", strerrorname_np(error));
}

// Each child is one more that forks.
static void hog_fork(void) {
  int said = 0;
  for (;;) {
    if (fork() >= 0) continue;
    if (said++ == 0) stopped_by(errno);
    usleep(1000);
  }
}

static void *spin(void *unused) {
  for (volatile unsigned long i = 0;; i++) {}
  return unused;
}

static void hog_cpu(void) {
  pthread_t thread;
  for (int i = 0; i < 31; i++) pthread_create(&thread, NULL, spin, NULL);
  spin(NULL);
}

static void hog_touch(void) {
  for (;;) {
    char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return stopped_by(errno);
    memset(p, 1, MIB);
  }
}

// Many files, so that no one's own largest size ends it.
static void hog_write(const char *folder, int files, int kept) {
  for (int n = 0; n < files; n++) {
    char path[64];
    snprintf(path, sizeof path, "%s/hog-%d", folder, n);
    int fd = kept ? (int)syscall(SYS_memfd_create, path, 0) : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return stopped_by(errno);
    for (int i = 0; i < 64; i++) {
      if (write(fd, block, sizeof block) < 0) return stopped_by(errno);
    }
    if (!kept) close(fd);
  }
}

static void fill(int fd) {
  fcntl(fd, F_SETFL, O_NONBLOCK);
  while (write(fd, block, 65536) > 0) {}
}

// What lies in sockets and pipes is the kernel's memory; a process has so many descriptors, so there are many processes.
static void hog_buffers(int pipes) {
  for (int p = 0; p < 60; p++) {
    pid_t child = fork();
    if (child < 0) return stopped_by(errno);
    if (child > 0) continue;
    for (;;) {
      int fd[2];
      if ((pipes ? pipe(fd) : socketpair(AF_UNIX, SOCK_STREAM, 0, fd)) < 0) {
        if (errno == EMFILE) pause();
        stopped_by(errno);
        _exit(0);
      }
      fill(fd[1]);
      if (!pipes) fill(fd[0]);
    }
  }
  // With the first of them that is refused by more than its own descriptors, all end.
  wait(NULL);
}

static void hog_keys(void) {
  for (int n = 0;; n++) {
    char name[32];
    snprintf(name, sizeof name, "hog-%d", n);
    if (syscall(SYS_add_key, "user", name, "x", 1, KEY_SPEC_PROCESS_KEYRING) < 0) return stopped_by(errno);
  }
}

static void hog_inotify(void) {
  for (;;) {
    if (inotify_init() < 0) return stopped_by(errno);
  }
}

static void hog_epoll(void) {
  for (;;) {
    if (epoll_create1(0) < 0) return stopped_by(errno);
  }
}

static void hog_files(void) {
  for (int n = 0;; n++) {
    char path[64];
    snprintf(path, sizeof path, "/workspace/hog-file-%d", n);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) return stopped_by(errno);
    close(fd);
  }
}

int main(int argc, char **argv) {
  const char *kind = argc > 1 ? argv[1] : "";
  memset(block, 1, sizeof block);
  if (strcmp(kind, "fork") == 0) hog_fork();
  else if (strcmp(kind, "cpu") == 0) hog_cpu();
  else if (strcmp(kind, "touch") == 0) hog_touch();
  else if (strcmp(kind, "tmpfs") == 0) hog_write("/tmp", 1 << 20, 0);
  else if (strcmp(kind, "memfd") == 0) hog_write("memfd", 1 << 20, 1);
  else if (strcmp(kind, "unix") == 0) hog_buffers(0);
  else if (strcmp(kind, "pipe") == 0) hog_buffers(1);
  else if (strcmp(kind, "keys") == 0) hog_keys();
  else if (strcmp(kind, "inotify") == 0) hog_inotify();
  else if (strcmp(kind, "epoll") == 0) hog_epoll();
  else if (strcmp(kind, "disk") == 0) hog_write("/workspace", 1 << 20, 0);
  else if (strcmp(kind, "files") == 0) hog_files();
  else return 2;
  return 0;
}
