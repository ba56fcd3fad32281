// SPDX-License-Identifier: Apache-2.0
// A static program that a test brings into a sandbox: it tries one act an argument pair and prints what the kernel said.
// So no refusal is for want of a tool.
//
//   probe ACT ARG [ACT ARG]...     ARG is - where an act needs none; one line each: ACT ARG ok|ERRNO
//   probe am-i-root                its status is 0 if it has root's user or a capability
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "findings.h"

static int closed(int fd) {
  if (fd >= 0) close(fd);
  return fd;
}

// @NAME is a name of no file.
static socklen_t unix_address(struct sockaddr_un *a, const char *where) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  strncpy(a->sun_path, where, sizeof a->sun_path - 1);
  if (where[0] != '@') return sizeof *a;
  a->sun_path[0] = '\0';
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(where));
}

static int connect_to(int family, int type, const char *where) {
  int fd = socket(family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int r;
  if (family == AF_UNIX) {
    struct sockaddr_un a;
    socklen_t length = unix_address(&a, where);
    r = connect(fd, (struct sockaddr *)&a, length);
  } else {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(443)};
    inet_pton(AF_INET, where, &a.sin_addr);
    r = connect(fd, (struct sockaddr *)&a, sizeof a);
  }
  int e = errno;
  close(fd);
  errno = e;
  return r;
}

static int run_in_child(const char *path) {
  int p[2];
  if (pipe2(p, O_CLOEXEC) < 0) return -1;
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    char *argv[] = {(char *)path, "-c", "true", NULL};
    dup2(open("/dev/null", O_WRONLY), 1);
    execv(path, argv);
    int e = errno;
    if (write(p[1], &e, sizeof e) < 0) _exit(1);
    _exit(1);
  }
  close(p[1]);
  int e = 0;
  ssize_t n = read(p[0], &e, sizeof e);
  waitpid(child, NULL, 0);
  if (n > 0) {
    errno = e;
    return -1;
  }
  return 0;
}

// In a child, so that what it changes of the process does not reach the next act.
static int in_child(long (*act)(void)) {
  int p[2];
  if (pipe(p) < 0) return -1;
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    int e = act() < 0 ? errno : 0;
    if (write(p[1], &e, sizeof e) < 0) _exit(1);
    _exit(0);
  }
  close(p[1]);
  int e = -1;
  int status = 0;
  ssize_t n = read(p[0], &e, sizeof e);
  close(p[0]);
  waitpid(child, &status, 0);
  if (n != (ssize_t)sizeof e) e = WIFSIGNALED(status) ? ENOTRECOVERABLE : EIO;
  errno = e;
  return e == 0 ? 0 : -1;
}

static long unshare_user(void) { return unshare(CLONE_NEWUSER); }
static long unshare_mount(void) { return unshare(CLONE_NEWNS); }
static long mounted(const char *type) {
  if (mount("none", "/tmp", type, 0, NULL) < 0) return -1;
  return umount2("/tmp", MNT_DETACH);
}
static long do_mount(void) { return mounted("tmpfs"); }
static long do_chroot(void) { return chroot("/tmp"); }
static long do_setuid(void) { return setuid(0); }
static long do_keyctl(void) { return syscall(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_SESSION_KEYRING); }
// What is asked for is sound, so that only a guard can refuse it: an array of one value, a ring, a counter of one's own time.
static long do_bpf(void) {
  unsigned int array[5] = {2, 4, 4, 1, 0};
  return syscall(SYS_bpf, 0, array, sizeof array);
}
static long do_uring(void) {
  char params[120] = {0};
  return syscall(SYS_io_uring_setup, 1, params);
}
static long do_uffd(void) { return syscall(SYS_userfaultfd, 0); }
static long do_perf(void) {
  struct {
    unsigned int type, size;
    unsigned long long config;
    char rest[96];
  } event = {.type = 1, .size = 112, .config = 1};
  return syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
}
static long do_reboot(void) { return syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL); }
static long do_clock(void) {
  struct timespec t = {.tv_sec = 1};
  return clock_settime(CLOCK_REALTIME, &t);
}
static long node(mode_t mode, dev_t device) {
  if (mknod("/tmp/probe-node", mode, device) < 0) return -1;
  return unlink("/tmp/probe-node");
}
static long do_mknod(void) { return node(S_IFBLK | 0600, 0x801); }
static long do_hostname(void) { return sethostname("x", 1); }
static long do_ptrace(void) { return ptrace(PTRACE_ATTACH, getppid(), 0, 0); }

static long clone_user(void) {
  long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return child;
}
static long clone3_user(void) {
  struct clone_args how = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long child = syscall(SYS_clone3, &how, sizeof how);
  if (child == 0) _exit(0);
  return child;
}
static const char *entered;
static long do_setns(void) {
  int fd = open(entered, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : setns(fd, 0);
}
static long do_mount_cgroup(void) { return mounted("cgroup2"); }
static long do_fsopen(void) { return syscall(SYS_fsopen, "ext4", 0); }
static long do_mknod_char(void) { return node(S_IFCHR | 0600, 0x101); }
static long do_core(void) {
  struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  return setrlimit(RLIMIT_CORE, &all);
}

// A terminal of its own, to type into as if a person did.
static long do_tiocsti(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return -1;
  setsid();
  int terminal = open(ptsname(master), O_RDWR);
  return terminal < 0 ? -1 : ioctl(terminal, TIOCSTI, "x");
}
// Selections of the console: what is pasted is typed.
static long do_tioclinux(void) {
  int console = open("/dev/tty0", O_RDWR | O_NOCTTY);
  char shift_state = 6;
  return console < 0 ? -1 : ioctl(console, TIOCLINUX, &shift_state);
}
static long do_steal_terminal(void) {
  setsid();
  int console = open("/dev/console", O_RDWR | O_NOCTTY);
  return console < 0 ? -1 : ioctl(console, TIOCSCTTY, 1);
}

// The memory of another process, by the same user, that would not mind.
static long sibling_memory(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", child);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  int e = errno;
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  errno = e;
  return fd;
}

static int any_socket(int family) {
  const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
  int first = 0;
  for (int i = 0; i < 4; i++) {
    if (closed(socket(family, types[i], 0)) >= 0) return 0;
    // What a family has no type for says nothing of who may.
    if (first == 0 || first == ESOCKTNOSUPPORT) first = errno;
  }
  errno = first;
  return -1;
}

static int set_at_another(const char *path) {
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    execl(path, path, "am-i-root", NULL);
    _exit(errno == EACCES || errno == ENOENT ? 100 + errno : 99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 99;
  errno = code > 100 ? code - 100 : EPERM;
  return code == 0 ? 0 : -1;
}

// One of each thing by which processes meet, under one name, for as long as this program lives.
static int plant(const char *name) {
  key_t key = (key_t)strtol(name + strlen(name) - 4, NULL, 16);
  struct sockaddr_un a;
  char path[64];
  snprintf(path, sizeof path, "@%s", name);
  socklen_t length = unix_address(&a, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&a, length) < 0 || listen(fd, 8) < 0) return -1;
  if (shmget(key, 4096, IPC_CREAT | 0666) < 0 || msgget(key, IPC_CREAT | 0666) < 0 || semget(key, 1, IPC_CREAT | 0666) < 0) return -1;
  umask(0);
  snprintf(path, sizeof path, "/%s", name);
  // AppArmor takes a queue for a file of that name, which no profile of a call allows.
  if (mq_open(path, O_RDWR | O_CREAT, 0666, NULL) < 0 && errno != EACCES) return -1;
  snprintf(path, sizeof path, "/dev/shm/%s", name);
  if (open(path, O_RDWR | O_CREAT, 0666) < 0) return -1;
  return 0;
}

static int act(const char *name, const char *arg) {
  if (!strcmp(name, "has")) return finding(arg);
  if (!strcmp(name, "lies")) return lies(arg);
  if (!strcmp(name, "plant")) return plant(arg);
  if (!strcmp(name, "wait")) return (int)sleep((unsigned int)atoi(arg));
  if (!strcmp(name, "abstract")) {
    char at[100];
    snprintf(at, sizeof at, "@%s", arg);
    return connect_to(AF_UNIX, SOCK_STREAM, at);
  }
  if (!strcmp(name, "shm")) return shmget((key_t)strtol(arg, NULL, 16), 0, 0);
  if (!strcmp(name, "msg")) return msgget((key_t)strtol(arg, NULL, 16), 0);
  if (!strcmp(name, "sem")) return semget((key_t)strtol(arg, NULL, 16), 0, 0);
  if (!strcmp(name, "mq")) return closed(mq_open(arg, O_RDONLY));
  if (!strcmp(name, "family")) return any_socket(atoi(arg));
  if (!strcmp(name, "suid")) return set_at_another(arg);
  if (!strcmp(name, "setns")) {
    entered = arg;
    return in_child(do_setns);
  }
  if (!strcmp(name, "clone")) return in_child(clone_user);
  if (!strcmp(name, "clone3")) return in_child(clone3_user);
  if (!strcmp(name, "fsopen")) return in_child(do_fsopen);
  if (!strcmp(name, "cgroup2")) return in_child(do_mount_cgroup);
  if (!strcmp(name, "mknodchar")) return in_child(do_mknod_char);
  if (!strcmp(name, "core")) return in_child(do_core);
  if (!strcmp(name, "siblingmem")) return in_child(sibling_memory);
  if (!strcmp(name, "tiocsti")) return in_child(do_tiocsti);
  if (!strcmp(name, "tioclinux")) return in_child(do_tioclinux);
  if (!strcmp(name, "terminal")) return in_child(do_steal_terminal);
  if (!strcmp(name, "read")) return closed(open(arg, O_RDONLY | O_CLOEXEC));
  if (!strcmp(name, "write")) return closed(open(arg, O_WRONLY | O_CLOEXEC));
  if (!strcmp(name, "create")) return closed(open(arg, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!strcmp(name, "mkdir")) return mkdir(arg, 0700);
  if (!strcmp(name, "link")) return link(arg, "/workspace/made-by-link");
  if (!strcmp(name, "see")) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/status", arg);
    return closed(open(path, O_RDONLY | O_CLOEXEC));
  }
  if (!strcmp(name, "exec")) return run_in_child(arg);
  if (!strcmp(name, "unix")) return connect_to(AF_UNIX, SOCK_STREAM, arg);
  if (!strcmp(name, "inet")) return connect_to(AF_INET, SOCK_STREAM, arg);
  if (!strcmp(name, "inet6")) return closed(socket(AF_INET6, SOCK_STREAM, 0));
  if (!strcmp(name, "udp")) return closed(socket(AF_INET, SOCK_DGRAM, 0));
  if (!strcmp(name, "raw")) return closed(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  if (!strcmp(name, "packet")) return closed(socket(AF_PACKET, SOCK_RAW, 0));
  if (!strcmp(name, "netlink")) return closed(socket(AF_NETLINK, SOCK_RAW, 0));
  if (!strcmp(name, "vsock")) return closed(socket(AF_VSOCK, SOCK_STREAM, 0));
  if (!strcmp(name, "alg")) return closed(socket(AF_ALG, SOCK_SEQPACKET, 0));
  if (!strcmp(name, "kill")) return kill((pid_t)atoi(arg), 0);
  if (!strcmp(name, "userns")) return in_child(unshare_user);
  if (!strcmp(name, "mountns")) return in_child(unshare_mount);
  if (!strcmp(name, "mount")) return in_child(do_mount);
  if (!strcmp(name, "chroot")) return in_child(do_chroot);
  if (!strcmp(name, "setuid")) return in_child(do_setuid);
  if (!strcmp(name, "keyctl")) return in_child(do_keyctl);
  if (!strcmp(name, "bpf")) return in_child(do_bpf);
  if (!strcmp(name, "io_uring")) return in_child(do_uring);
  if (!strcmp(name, "userfaultfd")) return in_child(do_uffd);
  if (!strcmp(name, "perf")) return in_child(do_perf);
  if (!strcmp(name, "reboot")) return in_child(do_reboot);
  if (!strcmp(name, "clock")) return in_child(do_clock);
  if (!strcmp(name, "mknod")) return in_child(do_mknod);
  if (!strcmp(name, "hostname")) return in_child(do_hostname);
  if (!strcmp(name, "ptrace")) return in_child(do_ptrace);
  fprintf(stderr, "probe: unknown act %s\n", name);
  exit(64);
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "am-i-root")) return geteuid() == 0 || finding("in-effect") == 0 ? 0 : 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    int r = act(argv[i], argv[i + 1]);
    printf("%s %s %s\n", argv[i], argv[i + 1], r >= 0 ? "ok" : strerrorname_np(errno));
    fflush(stdout);
  }
  return 0;
}
