// SPDX-License-Identifier: Apache-2.0
// failing CALL [ARG VALUE] -- PROGRAM ARG...: becomes PROGRAM, for which the system call CALL fails with EIO, always or when its
// argument ARG (0 the first) is VALUE. From outside and by the kernel, so the program is the one that is shipped.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
  const char *name;
  int number;
} calls[] = {
    {"capset", SYS_capset},         {"clone3", SYS_clone3},           {"close_range", SYS_close_range}, {"dup2", SYS_dup2},
    {"fsconfig", SYS_fsconfig},     {"fsmount", SYS_fsmount},         {"fsopen", SYS_fsopen},           {"mkdirat", SYS_mkdirat},
    {"mount_setattr", SYS_mount_setattr}, {"move_mount", SYS_move_mount}, {"open_tree", SYS_open_tree}, {"openat2", SYS_openat2},
    {"ioctl", SYS_ioctl},
    {"pivot_root", SYS_pivot_root}, {"prctl", SYS_prctl},             {"prlimit64", SYS_prlimit64},     {"read", SYS_read},
    {"setsid", SYS_setsid},         {"symlinkat", SYS_symlinkat},     {"umount2", SYS_umount2},         {"unshare", SYS_unshare},
    {"write", SYS_write},
};

static unsigned int number_of(const char *name) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (strcmp(calls[i].name, name) == 0) return (unsigned int)calls[i].number;
  }
  fprintf(stderr, "failing: %s is not known\n", name);
  exit(2);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int matched = strcmp(argv[2], "--") != 0;
  char **program = argv + (matched ? 5 : 3);
  unsigned int arg = matched ? (unsigned int)offsetof(struct seccomp_data, args) + 8U * (unsigned int)atoi(argv[2]) : 0;
  unsigned int value = matched ? (unsigned int)strtoul(argv[3], NULL, 0) : 0;
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number_of(argv[1]), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, (unsigned char)matched),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog load = {.len = sizeof filter / sizeof *filter, .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &load) < 0) return 3;
  execv(program[0], program);
  return 4;
}
