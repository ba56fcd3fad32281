// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "standing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../signals.h"
#include "refuse.h"

void standing_begin(void) {
  if (!signals_fresh()) refuse("signals", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) refuse("no_new_privs", errno);
}

void standing_die_with_parent(void) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) refuse("parent", errno);
  // It may have died before that: then nobody holds the other end of the report.
  struct pollfd report = {.fd = REPORT_FD};
  if (poll(&report, 1, 0) < 0) refuse("parent", errno);
  if (report.revents != 0) _exit(REFUSED);
}

static void write_to(const char *file, const char *text) {
  int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) refuse("ids", errno);
  close(fd);
}

void standing_ids(uid_t uid, gid_t gid) {
  char map[64];
  snprintf(map, sizeof map, "%u %u 1", uid, uid);
  write_to("/proc/self/uid_map", map);
  // user_namespaces(7): a group map of one's own is only allowed to who can never again drop a group that is denied something.
  write_to("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "%u %u 1", gid, gid);
  write_to("/proc/self/gid_map", map);
}

static void lower_limit(__rlimit_resource_t what, rlim_t wanted) {
  struct rlimit limit;
  if (getrlimit(what, &limit) < 0) refuse("limits", errno);
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) wanted = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = wanted;
  if (setrlimit(what, &limit) < 0) refuse("limits", errno);
}

void standing_limits(void) {
  lower_limit(RLIMIT_NOFILE, 1024);
  // Counted within the call's user namespace: one call does not use up another's.
  lower_limit(RLIMIT_NPROC, 256);
  lower_limit(RLIMIT_CORE, 0);
}

static void keep_capabilities(unsigned int which) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{.effective = which, .permitted = which}, {0}};
  if (syscall(SYS_capset, &header, data) < 0) refuse("capabilities", errno);
}

void standing_only_mount(void) {
  for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) refuse("capabilities", errno);
  }
  // Without the right to overlook file modes, too: a source is opened as the agent's user would.
  keep_capabilities(1U << CAP_SYS_ADMIN);
}

void standing_end(void) { keep_capabilities(0); }
