// SPDX-License-Identifier: Apache-2.0
// container-enter: the first program of a container, run by the runner.
//
//   container-enter --cgroup DIR [--env NAME=VALUE]... -- PROGRAM ARG...
//
// Joins the container's control group, takes the limits of every call on itself, makes the namespaces that rootless Podman works
// in, and becomes PROGRAM (Podman) with the named variables and no others: all that Podman starts inherits them, so that nothing
// of it can be outside.
//
// Why not Podman: it would ask newuidmap, which needs privilege, for ids that an agent does not have, leave a process behind to
// keep its namespaces, and have crun set up a loopback; crun 1.21 cannot where AF_INET is refused (containers/crun#1828). Here
// root of the namespace is the agent's uid and nobody else, and the network is empty down to the loopback.
//
// Descriptors: 0, 1, 2 are the container's; 3 is the report (see call-report.h). All others are closed. Exit status 125: nothing ran.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch/refuse.h"
#include "launch/standing.h"

#define MAX_VARIABLES 16

static void join_cgroup(const char *directory) {
  int dir = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int procs = dir < 0 ? -1 : openat(dir, "cgroup.procs", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  // "0" is the writer itself.
  if (procs < 0 || write(procs, "0", 1) != 1) refuse("cgroup", errno);
  close(procs);
  close(dir);
}

static void write_once(const char *file, const char *text) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) refuse(file, errno);
  close(fd);
}

static void enter_namespaces(void) {
  char uids[64], gids[64];
  snprintf(uids, sizeof uids, "0 %u 1", getuid());
  snprintf(gids, sizeof gids, "0 %u 1", getgid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS) < 0) refuse("namespaces", errno);
  // Before gid_map: the kernel wants to know that no group can be left (user_namespaces(7)).
  write_once("/proc/self/setgroups", "deny");
  write_once("/proc/self/uid_map", uids);
  write_once("/proc/self/gid_map", gids);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) refuse("mounts", errno);
}

int main(int argc, char **argv) {
  // Without a report there is no way to tell a container that ran from one that did not.
  if (fcntl(REPORT_FD, F_GETFD) < 0) _exit(REFUSED);
  if (syscall(SYS_close_range, REPORT_FD + 1, ~0U, 0) < 0) refuse("close_range", errno);

  char *variables[MAX_VARIABLES + 1] = {NULL};
  const char *cgroup = NULL;
  int named = 0, i = 1;
  for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
    if (strcmp(argv[i], "--cgroup") == 0) cgroup = argv[i + 1];
    else if (strcmp(argv[i], "--env") == 0 && named < MAX_VARIABLES) variables[named++] = argv[i + 1];
    else refuse("arguments", EINVAL);
  }
  if (cgroup == NULL || i + 1 >= argc || argv[i + 1][0] != '/') refuse("arguments", EINVAL);

  join_cgroup(cgroup);
  standing_begin();
  standing_limits();
  enter_namespaces();
  execve(argv[i + 1], argv + i + 1, variables);
  refuse(argv[i + 1], errno);
}
