// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "refuse.h"

#define MAX_HIDDEN 64
#define PLAIN (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define DEVICE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

static int root = -1;
// Directories that hide something: made read-only at the end, because files of ours may have to lie in one.
static int hiding[MAX_HIDDEN];
static int hidden = 0;

static int settled(int tree, unsigned long long flags, const char *step) {
  struct mount_attr attr = {.attr_set = flags, .propagation = MS_PRIVATE};
  if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0) refuse(step, errno);
  return tree;
}

static int new_filesystem(const char *type, const char *const (*options)[2], unsigned int flags, const char *step) {
  int context = fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) refuse(step, errno);
  for (; options != NULL && (*options)[0] != NULL; options++) {
    if (fsconfig(context, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0) < 0) refuse(step, errno);
  }
  if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) refuse(step, errno);
  int tree = fsmount(context, FSMOUNT_CLOEXEC, flags);
  if (tree < 0) refuse(step, errno);
  close(context);
  return tree;
}

static int copy_of(int at, const char *path, unsigned int more) {
  return open_tree(at, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | more);
}

// The directory of the last part of `path`, made with all above it where there is none; no link is followed in what an agent may
// own. `*name` is that part.
static int directory_of(const char *path, const char **name, const char *step) {
  int at = root;
  for (path++;; ) {
    size_t length = strcspn(path, "/");
    *name = path;
    if (path[length] == '\0') return at;
    char part[NAME_MAX + 1];
    if (length == 0 || length > NAME_MAX) refuse(step, length == 0 ? EINVAL : ENAMETOOLONG);
    memcpy(part, path, length);
    part[length] = '\0';
    int next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && errno == ENOENT && mkdirat(at, part, 0755) == 0) {
      next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (next < 0) refuse(step, errno);
    if (at != root) close(at);
    at = next;
    path += length + 1;
  }
}

// Where something will be mounted: made when missing, of the kind of what will lie over it.
static int place(const char *path, bool directory, mode_t mode, const char *step) {
  const char *name;
  int at = directory_of(path, &name, step);
  int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    int made = directory ? mkdirat(at, name, mode) : openat(at, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
    if (made < 0) refuse(step, errno);
    if (!directory) close(made);
    fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  }
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) refuse(step, errno);
  if (S_ISLNK(st.st_mode)) refuse(step, ELOOP);
  if (at != root) close(at);
  return fd;
}

static void put(int tree, int at, const char *step) {
  if (move_mount(tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) refuse(step, errno);
  close(at);
}

static bool is_directory(int fd, const char *step) {
  struct stat st;
  if (fstat(fd, &st) < 0) refuse(step, errno);
  return S_ISDIR(st.st_mode);
}

static void put_at(int tree, const char *path, const char *step) {
  bool directory = is_directory(tree, step);
  put(tree, place(path, directory, directory ? 0755 : 0444, step), step);
  close(tree);
}

void tree_begin(const char *stage, const char *bytes) {
  const char *const options[][2] = {{"mode", "0755"}, {"size", bytes}, {NULL, NULL}};
  root = new_filesystem("tmpfs", options, PLAIN, "root");
  if (move_mount(root, "", AT_FDCWD, stage, MOVE_MOUNT_F_EMPTY_PATH) < 0) refuse("stage", errno);
}

void tree_image(const char *source, const char *path) {
  int tree = copy_of(AT_FDCWD, source, 0);
  if (tree < 0 && errno == ENOENT) return;
  if (tree < 0) refuse("image", errno);
  put_at(settled(tree, PLAIN | MOUNT_ATTR_RDONLY, "image"), path, "image");
}

void tree_link(const char *target, const char *path) {
  const char *name;
  int at = directory_of(path, &name, "link");
  if (symlinkat(target, at, name) < 0) refuse("link", errno);
  if (at != root) close(at);
}

void tree_scratch(const char *path) {
  int at = place(path, true, 01777, "scratch");
  int tree = copy_of(at, "", AT_EMPTY_PATH);
  if (tree < 0) refuse("scratch", errno);
  put(tree, at, "scratch");
  close(tree);
}

void tree_dev(void) {
  static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"};
  static const char *const links[][2] = {
      {"/proc/self/fd", "/dev/fd"},       {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
      {"/proc/self/fd/2", "/dev/stderr"}, {"pts/ptmx", "/dev/ptmx"},
  };
  // The kernel has one number of terminals for all; what one call may take of it is little.
  static const char *const terminals[][2] = {{"mode", "0620"}, {"ptmxmode", "0666"}, {"max", "64"}, {NULL, NULL}};
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
    int tree = copy_of(AT_FDCWD, devices[i], 0);
    if (tree < 0) refuse("dev", errno);
    put_at(settled(tree, DEVICE | MOUNT_ATTR_RDONLY, "dev"), devices[i], "dev");
  }
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) tree_link(links[i][0], links[i][1]);
  put_at(new_filesystem("devpts", terminals, DEVICE, "pts"), "/dev/pts", "pts");
}

void tree_proc(void) {
  put_at(new_filesystem("proc", NULL, PLAIN | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, "proc"), "/proc", "proc");
}

static bool is_absence(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES || error == ENAMETOOLONG;
}

void tree_bind(const char *mode, const char *source, const char *dest) {
  bool writable = strncmp(mode, "rw", 2) == 0;
  const char *kind = mode + (writable || strncmp(mode, "ro", 2) == 0 ? 2 : 0);
  bool file = strcmp(kind, "-file") == 0, directory = strcmp(kind, "-directory") == 0;
  if (kind == mode || (*kind != '\0' && !file && !directory) || source[0] != '/') refuse("arguments", EINVAL);

  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int fd = (int)syscall(SYS_openat2, AT_FDCWD, source, &how, sizeof how);
  if (fd < 0 && is_absence(errno)) return tell_skipped(dest, errno);
  if (fd < 0) refuse("binding", errno);
  if ((file || directory) && is_directory(fd, "binding") != directory) {
    close(fd);
    return tell_skipped(dest, directory ? ENOTDIR : EISDIR);
  }
  int tree = copy_of(fd, "", AT_EMPTY_PATH);
  if (tree < 0) refuse("binding", errno);
  close(fd);
  put_at(settled(tree, writable ? PLAIN : PLAIN | MOUNT_ATTR_RDONLY, "binding"), dest, "binding");
}

void tree_hide(const char *dest) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int at = (int)syscall(SYS_openat2, root, dest, &how, sizeof how);
  if (at < 0 && (errno == ENOENT || errno == ENOTDIR)) return;
  if (at < 0) refuse("hidden", errno);
  if (is_directory(at, "hidden")) {
    // Ours to put a program into, nobody's to list.
    static const char *const options[][2] = {{"mode", "0311"}, {"size", "4096"}, {NULL, NULL}};
    if (hidden == MAX_HIDDEN) refuse("hidden", E2BIG);
    hiding[hidden] = new_filesystem("tmpfs", options, PLAIN, "hidden");
    put(hiding[hidden++], at, "hidden");
  } else {
    int tree = copy_of(AT_FDCWD, "/dev/null", 0);
    if (tree < 0) refuse("hidden", errno);
    put(settled(tree, PLAIN | MOUNT_ATTR_RDONLY, "hidden"), at, "hidden");
    close(tree);
  }
}

static void seal(int tree) {
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
  if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0) refuse("seal", errno);
}

void tree_enter(void) {
  for (int i = 0; i < hidden; i++) seal(hiding[i]);
  seal(root);
  // The runner's tree comes to lie over ours and is taken off: no name leads to it any more.
  if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) refuse("pivot", errno);
  if (umount2(".", MNT_DETACH) < 0) refuse("detach", errno);
  if (chdir("/") < 0) refuse("detach", errno);
}
