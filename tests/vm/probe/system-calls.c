// SPDX-License-Identifier: Apache-2.0
// Asks the filters that this process is under about every system call, and lets none happen.
//
//   system-calls [NUMBER,ARG0,ARG1,ARG2]...
//
// A thread puts a filter of its own on top, which hands each try (known by its sixth argument) to this program's first thread. The
// kernel asks all filters and takes the strictest answer, and a refusal is stricter than handing over: what comes to the first
// thread has passed every other filter, is answered there and is never carried out. So `reboot` and `exit` can be tried like `getpid`.
//
// One line each: NUMBER or NUMBER,ARGS, and `reached`, the errno's name, or the signal that killed it. The numbers below LAST are
// told as runs, FROM-TO. With WITH_FILTERS, `--load NAME` first loads a filter of seccomp/ into the asking thread.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef WITH_FILTERS
#include "seccomp-filter.h"
#endif

#define LAST 1024
#define X32 0x40000000L
#define IA32 (-1)
// The kernel asks no filter about it, and kills who is not the trampoline that it made itself.
#define URETPROBE 335
#define MARK 0x5eccULL
// What no filter answers.
#define REACHED ECANCELED

static atomic_int listener = -1;
static const char *load;
// What was asked last, should the answer be the end of the thread that asked.
static _Atomic(const char *) step = "start";
static atomic_int last;
static int tries;
static char **wanted;

static void fail(const char *what) {
  fprintf(stderr, "system-calls: %s: %s\n", what, strerrorname_np(errno));
  exit(1);
}

static long try_native(long nr, const unsigned long a[3]) {
  register long r10 __asm__("r10") = 0, r8 __asm__("r8") = 0, r9 __asm__("r9") = MARK;
  long result;
  // The mark must not stay in its register: the next call of this thread would be a try.
  __asm__ volatile("syscall; xor %%r9d, %%r9d" : "=a"(result), "+r"(r9) : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}

// getpid by the entry of 32-bit programs, where the sixth argument is ebp.
static long try_ia32(void) {
  long result;
  __asm__ volatile("push %%rbp; mov %1, %%rbp; int $0x80; pop %%rbp" : "=a"(result) : "r"(MARK), "0"(20L), "b"(0L), "c"(0L), "d"(0L), "S"(0L), "D"(0L) : "r8", "r9", "r10", "r11", "memory");
  return (int)result;
}

static const char *name_of(long result) {
  if (result == -REACHED) return "reached";
  const char *name = result < 0 ? strerrorname_np((int)-result) : NULL;
  return name == NULL ? "HAPPENED" : name;
}

// For what may be answered with death.
static const char *answer_in_child(long nr) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    long result = nr == IA32 ? try_ia32() : try_native(nr, (unsigned long[3]){0});
    _exit(result == -REACHED ? 200 : result < 0 && result > -200 ? (int)-result : 201);
  }
  int status;
  if (waitpid(child, &status, 0) < 0) fail("waitpid");
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? "SIGSYS" : WTERMSIG(status) == SIGILL ? "SIGILL" : "killed";
  return name_of(WEXITSTATUS(status) == 200 ? -REACHED : -(long)WEXITSTATUS(status));
}

static void *ask(void *unused) {
  (void)unused;
  static char text[64 * 1024];
  setvbuf(stdout, text, _IOFBF, sizeof text);
  struct sock_filter hand_over[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args[5])},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, MARK},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  struct sock_fprog program = {sizeof hand_over / sizeof *hand_over, hand_over};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("no_new_privs");
  int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (fd < 0) fail("seccomp");
  atomic_store(&listener, fd);
#ifdef WITH_FILTERS
  if (load != NULL && !seccomp_filter_load(load)) fail(load);
#endif
  static const char *answers[LAST];
  for (int nr = 0; nr < LAST; nr++) {
    atomic_store(&last, nr);
    answers[nr] = nr == URETPROBE && load == NULL ? answer_in_child(nr) : nr == URETPROBE ? "untried" : name_of(try_native(nr, (unsigned long[3]){0}));
  }
  for (int from = 0, to; from < LAST; from = to) {
    for (to = from + 1; to < LAST && strcmp(answers[from], answers[to]) == 0; to++) continue;
    printf("%d-%d %s\n", from, to - 1, answers[from]);
  }
  for (int i = 0; i < tries; i++) {
    unsigned long a[3] = {0};
    atomic_store(&step, wanted[i]);
    char *at = wanted[i];
    long nr = strtol(at, &at, 10);
    for (int n = 0; n < 3 && *at == ','; n++) a[n] = strtoul(at + 1, &at, 0);
    printf("%s %s\n", wanted[i], name_of(try_native(nr, a)));
  }
  if (load == NULL) {
    atomic_store(&step, "x32");
    printf("x32 %s\n", answer_in_child(X32 + SYS_getpid));
    atomic_store(&step, "ia32");
    printf("ia32 %s\n", answer_in_child(IA32));
  }
  fflush(stdout);
  // Both threads.
  _exit(0);
}

static void give_up(int signal) {
  (void)signal;
  dprintf(2, "system-calls: no answer after %d, %s\n", atomic_load(&last), atomic_load(&step));
  _exit(1);
}

int main(int argc, char **argv) {
  signal(SIGALRM, give_up);
  alarm(25);
  if (argc > 2 && strcmp(argv[1], "--load") == 0) {
    load = argv[2];
    argc -= 2;
    argv += 2;
  }
  tries = argc - 1;
  wanted = argv + 1;
  pthread_t asking;
  if (pthread_create(&asking, NULL, ask, NULL) != 0) fail("thread");
  int fd;
  while ((fd = atomic_load(&listener)) < 0) usleep(1000);
  for (;;) {
    struct seccomp_notif notif = {0};
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0) {
      // A child that was killed has taken its question back.
      if (errno == EINTR || errno == ENOENT) continue;
      fail("receive");
    }
    struct seccomp_notif_resp response = {.id = notif.id, .error = -REACHED};
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 && errno != ENOENT) fail("send");
  }
}
