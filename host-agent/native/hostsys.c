// SPDX-License-Identifier: Apache-2.0
// hostsys.node: the few facts of the kernel that Node does not give. Node-API 8, so that one build serves every Node we pin.
// Every failure throws an Error with errno, code and syscall. Descriptors it returns belong to the caller.
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <node_api.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static napi_value fail(napi_env env, const char *call, int e) {
  napi_value message, code, error, v;
  char text[160];
  const char *name = strerrorname_np(e);
  if (name == NULL) name = "UNKNOWN";
  snprintf(text, sizeof text, "%s: %s, %s", name, strerrordesc_np(e), call);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code);
  napi_create_error(env, code, message, &error);
  napi_create_int32(env, e, &v);
  napi_set_named_property(env, error, "errno", v);
  napi_create_string_utf8(env, call, NAPI_AUTO_LENGTH, &v);
  napi_set_named_property(env, error, "syscall", v);
  napi_throw(env, error);
  return NULL;
}

static napi_value bad(napi_env env, const char *usage) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", usage);
  return NULL;
}

// False for a wrong count of arguments, a non-number and a number that is no descriptor.
static bool one_fd(napi_env env, napi_callback_info info, int32_t *fd) {
  size_t count = 1;
  napi_value arg;
  double wide;
  if (napi_get_cb_info(env, info, &count, &arg, NULL, NULL) != napi_ok || count < 1) return false;
  if (napi_get_value_double(env, arg, &wide) != napi_ok || !(wide >= 0 && wide <= INT32_MAX)) return false;
  *fd = (int32_t)wide;
  return (double)*fd == wide;
}

// Who connected, as the kernel noted it at connect(): holds for the life of the socket, whoever inherits the descriptor.
static napi_value peerCred(napi_env env, napi_callback_info info) {
  int32_t fd;
  struct ucred cred;
  socklen_t size = sizeof cred;
  napi_value object, v;
  if (!one_fd(env, info, &fd)) return bad(env, "peerCred(fd)");
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0) return fail(env, "getsockopt(SO_PEERCRED)", errno);
  napi_create_object(env, &object);
  napi_create_int32(env, cred.pid, &v);
  napi_set_named_property(env, object, "pid", v);
  napi_create_uint32(env, cred.uid, &v);
  napi_set_named_property(env, object, "uid", v);
  napi_create_uint32(env, cred.gid, &v);
  napi_set_named_property(env, object, "gid", v);
  return object;
}

// A number of a process may be given to another one; a pidfd of the same struct pid may not (A17).
static napi_value peerPidfd(napi_env env, napi_callback_info info) {
  int32_t fd;
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  napi_value v;
  if (!one_fd(env, info, &fd)) return bad(env, "peerPidfd(fd)");
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0) return fail(env, "getsockopt(SO_PEERPIDFD)", errno);
  napi_create_int32(env, pidfd, &v);
  return v;
}

// True once the process has ended, reaped or not: from then on its number says nothing.
static napi_value pidfdEnded(napi_env env, napi_callback_info info) {
  int32_t fd;
  napi_value v;
  if (!one_fd(env, info, &fd)) return bad(env, "pidfdEnded(pidfd)");
  struct pollfd p = {.fd = fd, .events = POLLIN, .revents = 0};
  int n;
  do n = poll(&p, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) return fail(env, "poll(pidfd)", errno);
  if (p.revents & POLLNVAL) return fail(env, "poll(pidfd)", EBADF);
  napi_get_boolean(env, n > 0, &v);
  return v;
}

// True when nobody is left who could read what is written here: the other side of a socket is closed whole and not only for
// writing, or a pipe has no reader. Node tells the end of reading only, which a client that still waits for answers looks like too.
static napi_value hungUp(napi_env env, napi_callback_info info) {
  int32_t fd;
  napi_value v;
  if (!one_fd(env, info, &fd)) return bad(env, "hungUp(fd)");
  struct pollfd p = {.fd = fd, .events = 0, .revents = 0};
  int n;
  do n = poll(&p, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) return fail(env, "poll", errno);
  if (p.revents & POLLNVAL) return fail(env, "poll", EBADF);
  napi_get_boolean(env, (p.revents & (POLLHUP | POLLERR)) != 0, &v);
  return v;
}

// CLOCK_BOOTTIME: counts through suspend and cannot be set (R3, A14).
static napi_value bootMillis(napi_env env, napi_callback_info info) {
  (void)info;
  struct timespec t;
  napi_value v;
  if (clock_gettime(CLOCK_BOOTTIME, &t) < 0) return fail(env, "clock_gettime(CLOCK_BOOTTIME)", errno);
  napi_create_int64(env, (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000, &v);
  return v;
}

// A real pipe. What Node itself makes for a child is a socket, and a program that opens /dev/stdout cannot open a socket.
static napi_value pipeFds(napi_env env, napi_callback_info info) {
  (void)info;
  int fds[2];
  napi_value object, v;
  if (pipe2(fds, O_CLOEXEC) < 0) return fail(env, "pipe2", errno);
  napi_create_object(env, &object);
  napi_create_int32(env, fds[0], &v);
  napi_set_named_property(env, object, "read", v);
  napi_create_int32(env, fds[1], &v);
  napi_set_named_property(env, object, "write", v);
  return object;
}

// sd_notify(3): one datagram to the socket systemd named. `@` at the start means the abstract namespace.
static napi_value notify(napi_env env, napi_callback_info info) {
  size_t count = 2, path_size, text_size;
  napi_value args[2], v;
  char text[1024];
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  const char *usage = "notify(socketPath, text)";
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count < 2) return bad(env, usage);
  if (napi_get_value_string_utf8(env, args[0], to.sun_path, sizeof to.sun_path, &path_size) != napi_ok) return bad(env, usage);
  if (napi_get_value_string_utf8(env, args[1], text, sizeof text, &text_size) != napi_ok) return bad(env, usage);
  // A text that fills its buffer was cut by Node-API.
  if (path_size == 0 || path_size >= sizeof to.sun_path - 1 || text_size >= sizeof text - 1) return bad(env, usage);
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(env, "socket", errno);
  ssize_t sent;
  socklen_t to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_size);
  do sent = sendto(fd, text, text_size, MSG_NOSIGNAL, (struct sockaddr *)&to, to_size);
  while (sent < 0 && errno == EINTR);
  int e = errno;
  close(fd);
  if (sent < 0) return fail(env, "sendto", e);
  napi_get_undefined(env, &v);
  return v;
}

// The kernel's audit configuration: one question, its answers as they came (netlink(7) frames, aligned), the acknowledgement last.
static napi_value auditAsk(napi_env env, napi_callback_info info) {
  size_t count = 2, size;
  napi_value args[2], v;
  uint32_t type;
  void *data;
  bool ok;
  struct {
    struct nlmsghdr head;
    uint8_t data[4096];
  } question = {0};
  // A list of rules comes as one frame a rule; a rule is 1040 bytes and its text.
  static _Alignas(NLMSG_ALIGNTO) uint8_t answer[512 * 1024];
  size_t length = 0;
  const char *usage = "auditAsk(type, data)";
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count < 2) return bad(env, usage);
  if (napi_get_value_uint32(env, args[0], &type) != napi_ok || type > UINT16_MAX) return bad(env, usage);
  if (napi_is_buffer(env, args[1], &ok) != napi_ok || !ok) return bad(env, usage);
  napi_get_buffer_info(env, args[1], &data, &size);
  if (size > sizeof question.data) return bad(env, usage);
  memcpy(question.data, data, size);
  question.head.nlmsg_len = NLMSG_LENGTH((uint32_t)size);
  question.head.nlmsg_type = (uint16_t)type;
  question.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  question.head.nlmsg_seq = 1;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
  if (fd < 0) return fail(env, "socket(NETLINK_AUDIT)", errno);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  // The kernel acknowledges within the call; status and rules come from a thread of its own, before or after that.
  struct timeval patience = {.tv_sec = 5};
  bool acknowledged = false, whole = type != AUDIT_GET && type != AUDIT_LIST_RULES;
  int e = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) e = errno;
  else if (sendto(fd, &question, question.head.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) e = errno;
  while (e == 0 && !(acknowledged && whole)) {
    struct sockaddr_nl from;
    socklen_t from_size = sizeof from;
    if (length + 16384 > sizeof answer) {
      e = EMSGSIZE;
      break;
    }
    ssize_t n = recvfrom(fd, answer + length, sizeof answer - length, 0, (struct sockaddr *)&from, &from_size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      e = errno;
      break;
    }
    const struct nlmsghdr *head = (const struct nlmsghdr *)(answer + length);
    if (from.nl_pid != 0 || !NLMSG_OK(head, (size_t)n)) continue;
    if (head->nlmsg_type == NLMSG_ERROR) {
      e = -((const struct nlmsgerr *)NLMSG_DATA(head))->error;
      acknowledged = true;
    } else if (head->nlmsg_type == NLMSG_DONE) {
      whole = true;
    } else {
      length += NLMSG_ALIGN((size_t)n);
      whole = whole || type == AUDIT_GET;
    }
  }
  close(fd);
  if (e != 0) return fail(env, "audit", e);
  napi_create_buffer_copy(env, length, answer, NULL, &v);
  return v;
}

// Reads what the kernel's audit stream holds now, frame after frame, until it is empty or the buffer has no room for another: answers
// how many bytes. ENOBUFS is the kernel's word that it dropped some.
static napi_value auditRead(napi_env env, napi_callback_info info) {
  // AUDIT_MESSAGE_TEXT_MAX is 8560.
  enum { LARGEST = 12288 };
  size_t count = 2, size, length = 0;
  napi_value args[2], v;
  double wide;
  void *data;
  bool ok;
  const char *usage = "auditRead(fd, buffer)";
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count < 2) return bad(env, usage);
  if (napi_get_value_double(env, args[0], &wide) != napi_ok || !(wide >= 0 && wide <= INT32_MAX)) return bad(env, usage);
  if (napi_is_buffer(env, args[1], &ok) != napi_ok || !ok) return bad(env, usage);
  napi_get_buffer_info(env, args[1], &data, &size);
  while (length + LARGEST <= size) {
    struct sockaddr_nl from = {0};
    socklen_t from_size = sizeof from;
    ssize_t n = recvfrom((int)wide, (uint8_t *)data + length, LARGEST, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    // What was read before is kept: the error is the socket's again next time, or its serial numbers tell.
    if (n < 0 && length > 0) break;
    if (n < 0) return fail(env, "recvfrom(audit)", errno);
    // Only the kernel's own, and only whole ones.
    if (from.nl_pid == 0 && n <= LARGEST && NLMSG_OK((struct nlmsghdr *)((uint8_t *)data + length), (size_t)n)) length += NLMSG_ALIGN((size_t)n);
  }
  napi_create_int64(env, (int64_t)length, &v);
  return v;
}

// Keys of the kernel, keyrings(7). Which process keyring is meant is a matter of the *thread's* credentials: main thread only. Whoever
// possesses the keyring may do everything with them; nobody else may even see them (the owner's `view`, which is the default, is taken).
enum { POSSESSOR_ONLY = 0x3f000000, LONGEST_KEY = 32767 };

// keyAdd(description, buffer): into the process keyring, which is made with its first key.
static napi_value keyAdd(napi_env env, napi_callback_info info) {
  size_t count = 2, name_size, size;
  napi_value args[2], v;
  char name[128];
  void *data;
  bool ok;
  const char *usage = "keyAdd(description, buffer)";
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count < 2) return bad(env, usage);
  if (napi_get_value_string_utf8(env, args[0], name, sizeof name, &name_size) != napi_ok) return bad(env, usage);
  if (napi_is_buffer(env, args[1], &ok) != napi_ok || !ok) return bad(env, usage);
  napi_get_buffer_info(env, args[1], &data, &size);
  if (name_size == 0 || name_size >= sizeof name - 1 || size == 0 || size > LONGEST_KEY) return bad(env, usage);
  long key = syscall(SYS_add_key, "user", name, data, size, KEY_SPEC_PROCESS_KEYRING);
  if (key < 0) return fail(env, "add_key", errno);
  if (syscall(SYS_keyctl, KEYCTL_SETPERM, key, POSSESSOR_ONLY) < 0) {
    int e = errno;
    syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_PROCESS_KEYRING);
    return fail(env, "keyctl(SETPERM)", e);
  }
  napi_create_int64(env, key, &v);
  return v;
}

static bool one_key(napi_env env, napi_callback_info info, int32_t *key) {
  size_t count = 1;
  napi_value arg;
  return napi_get_cb_info(env, info, &count, &arg, NULL, NULL) == napi_ok && count >= 1 && napi_get_value_int32(env, arg, key) == napi_ok && *key > 0;
}

// keyRead(serial): a buffer that belongs to the caller, who wipes it. Our own copy of it is wiped here.
static napi_value keyRead(napi_env env, napi_callback_info info) {
  int32_t key;
  static uint8_t text[LONGEST_KEY];
  napi_value v = NULL;
  if (!one_key(env, info, &key)) return bad(env, "keyRead(serial)");
  long size = syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text);
  if (size < 0) return fail(env, "keyctl(READ)", errno);
  if ((size_t)size > sizeof text) return fail(env, "keyctl(READ)", EMSGSIZE);
  napi_create_buffer_copy(env, (size_t)size, text, NULL, &v);
  explicit_bzero(text, sizeof text);
  return v;
}

// keyDrop(serial): revoked, which frees what it holds, and no longer in the keyring.
static napi_value keyDrop(napi_env env, napi_callback_info info) {
  int32_t key;
  napi_value v;
  if (!one_key(env, info, &key)) return bad(env, "keyDrop(serial)");
  if (syscall(SYS_keyctl, KEYCTL_REVOKE, key) < 0) return fail(env, "keyctl(REVOKE)", errno);
  if (syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_PROCESS_KEYRING) < 0) return fail(env, "keyctl(UNLINK)", errno);
  napi_get_undefined(env, &v);
  return v;
}

// PR_SET_DUMPABLE 0, proc(5) and ptrace(2): no core file, and whoever has the same uid can read no memory and no environment of ours.
static napi_value forbidDumps(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value v;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return fail(env, "prctl(PR_SET_DUMPABLE)", errno);
  napi_get_undefined(env, &v);
  return v;
}

#define FUNCTION(name) {#name, NULL, name, NULL, NULL, NULL, napi_default_method, NULL}
NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {FUNCTION(peerCred),   FUNCTION(peerPidfd), FUNCTION(pidfdEnded), FUNCTION(hungUp),
                                                FUNCTION(bootMillis), FUNCTION(pipeFds),   FUNCTION(notify),
                                                FUNCTION(auditAsk),   FUNCTION(auditRead), FUNCTION(keyAdd),     FUNCTION(keyRead),
                                                FUNCTION(keyDrop),    FUNCTION(forbidDumps)};
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
