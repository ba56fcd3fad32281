// SPDX-License-Identifier: Apache-2.0
// unpack: the tar archive --from into the directory PATH. Everything beneath it and through no link, whatever the archive says.
// A bundle of git is not read: with --bundle NAME it is put down as that one file in PATH, for a program of the agent's own sandbox.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../json-out.h"
#include "ask.h"
#include "beneath.h"
#include "bundle.h"
#include "copy.h"
#include "fault.h"
#include "tar.h"

struct unpacking {
  int root;        // the directory PATH
  bool any_links;  // wherever they lead: whoever follows them will have PATH for its root
  int64_t files, directories, links, bytes, left, most_entries, most_bytes;
};

struct settled {
  char *path;
  unsigned mode;
  int64_t mtime;
};

static void leave(struct unpacking *u, const char *path, const char *why) {
  u->left++;
  printf("left%c%s%c%s%c", 0, path, 0, why, 0);
}

// `./a//b/` is a/b. False for what is absolute, goes up, or is nothing.
static bool normal(char *path) {
  char *to = path;
  if (path[0] == '/') return false;
  for (char *s = path; *s != '\0';) {
    size_t n = strcspn(s, "/");
    bool dot = n == 1 && s[0] == '.';
    if (n == 2 && s[0] == '.' && s[1] == '.') return false;
    if (n > NAME_MAX) return false;
    if (n > 0 && !dot) {
      if (to != path) *to++ = '/';
      memmove(to, s, n);
      to += n;
    }
    s += n;
    s += strspn(s, "/");
  }
  *to = '\0';
  return true;
}

// Whether a link in the directory of `path` stays beneath PATH, by its letters: it is never followed here, but may be elsewhere.
static bool stays(const char *path, const char *target) {
  int depth = 0;
  if (target[0] == '/' || target[0] == '\0') return false;
  for (const char *s = path; (s = strchr(s, '/')) != NULL; s++) depth++;
  for (const char *s = target; *s != '\0'; s += strspn(s, "/")) {
    size_t n = strcspn(s, "/");
    if (n == 2 && s[0] == '.' && s[1] == '.') depth--;
    else if (!(n == 1 && s[0] == '.')) depth++;
    if (depth < 0) return false;
    s += n;
  }
  return true;
}

static int open_made(int root, char *path, size_t length) {
  char kept = path[length];
  path[length] = '\0';
  int dir = open_beneath(root, length == 0 ? "." : path, O_RDONLY | O_DIRECTORY, 0);
  if (dir < 0 && errno == ENOENT && length > 0) {
    char *slash = memrchr(path, '/', length);
    int above = open_made(root, path, slash == NULL ? 0 : (size_t)(slash - path));
    if (above >= 0) {
      if (mkdirat(above, slash == NULL ? path : slash + 1, 0755) == 0 || errno == EEXIST) {
        dir = open_beneath(root, path, O_RDONLY | O_DIRECTORY, 0);
      }
      int error = errno;
      close(above);
      errno = error;
    }
  }
  path[length] = kept;
  return dir;
}


static int copy_in(struct unpacking *u, FILE *in, int to, int64_t size) {
  static char buffer[64 * 1024];
  for (int64_t left = size; left > 0;) {
    size_t n = left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer;
    if (fread(buffer, 1, n, in) != n) fault(EBADMSG, "the archive", "ends within a file");
    for (size_t done = 0; done < n;) {
      ssize_t wrote = write(to, buffer + done, n - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return errno;
      done += (size_t)wrote;
    }
    left -= (int64_t)n;
    u->bytes += (int64_t)n;
    if (u->bytes > u->most_bytes) return EFBIG;
  }
  char rest[TAR_BLOCK];
  size_t padding = (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
  if (fread(rest, 1, padding, in) != padding) fault(EBADMSG, "the archive", "ends within a file");
  return 0;
}

// Made beside it and renamed over it: a link that is there, or comes meanwhile, is replaced and not followed.
static void put_name(struct unpacking *u, FILE *in, const struct tar_member *m, int dir, const char *name) {
  char temporary[48];
  uint64_t number;
  if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) fault(EIO, m->path, NULL);
  snprintf(temporary, sizeof temporary, ".holdfast-put-%016llx", (unsigned long long)number);
  int error = 0;
  if (m->type == '0') {
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    error = fd < 0 ? errno : copy_in(u, in, fd, m->size);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = m->mtime}};
    // Without set-id bits, whatever the archive says.
    if (error == 0 && (fchmod(fd, m->mode & 0777) < 0 || futimens(fd, times) < 0)) error = errno;
    if (fd >= 0) close(fd);
    u->files++;
  } else if (m->type == '2') {
    if (symlinkat(m->target, dir, temporary) < 0) error = errno;
    u->links++;
  } else {
    char other[NAME_MAX + 1];
    int from = open_parent(u->root, m->target, other);
    // AT_SYMLINK_FOLLOW is not given: a link that took the file's place is linked itself, not what it points to.
    if (from < 0 || linkat(from, other, dir, temporary, 0) < 0) error = errno;
    if (from >= 0) close(from);
    u->files++;
  }
  if (error == 0 && renameat(dir, temporary, dir, name) < 0) error = errno;
  // rename(2) does nothing when both are the same file already.
  if (error != 0 || m->type == '1') unlinkat(dir, temporary, 0);
  if (error != 0) fault(error, m->path, error == EFBIG ? "makes this more than can be put in at once" : NULL);
}

// A container's root is read-only, so what is mounted over it must be there, as empty as can be.
static void make_mount_points(int root) {
  char directories[][24] = {"dev", "proc", "run", "sys", "tmp", "workspace", "usr/lib/holdfast/bin", "usr/lib/holdfast/lib", "etc"};
  for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
    int dir = open_made(root, directories[i], strlen(directories[i]));
    if (dir < 0) fault(errno, directories[i], "is no directory in this image, and a container needs it");
    close(dir);
  }
  // Its first program is ours. Whatever the image has by that name, a link above all, would be started in its place.
  const char *files[] = {"usr/lib/holdfast/call-init", "etc/hosts", "etc/hostname", "etc/resolv.conf"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    if (unlinkat(root, files[i], 0) < 0 && errno != ENOENT) fault(errno, files[i], NULL);
    int fd = open_beneath(root, files[i], O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) fault(errno, files[i], NULL);
    close(fd);
  }
  // A program that lives in it has the machine's own of these mounted over them.
  for (size_t i = 0; i < 2; i++) {
    int fd = open_beneath(root, i == 0 ? "etc/passwd" : "etc/group", O_WRONLY | O_CREAT, 0644);
    if (fd < 0) fault(errno, "etc", NULL);
    close(fd);
  }
  if (unlinkat(root, "etc/mtab", 0) < 0 && errno != ENOENT) fault(errno, "etc/mtab", NULL);
  if (symlinkat("/proc/mounts", root, "etc/mtab") < 0) fault(errno, "etc/mtab", NULL);
}

// What a checkout would meet could be a link, a `.git` or a file of the agent's: there is to be nothing.
static void put_bundle(struct unpacking *u, int from, const char *path, const char *name) {
  int fd = open_beneath(u->root, ".", O_RDONLY | O_DIRECTORY, 0);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (entries == NULL) fault(errno, path, NULL);
  const struct dirent *entry;
  while ((errno = 0, entry = readdir(entries)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    fault(ENOTEMPTY, path, "is not empty, and a bundle of git goes into a new or an empty folder; name another, or empty it first");
  }
  if (errno != 0) fault(errno, path, NULL);
  closedir(entries);
  int to = openat(u->root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (to < 0) fault(errno, name, NULL);
  struct copied copied = copy_bytes(from, to, u->most_bytes, &u->bytes);
  int error = copied.error != 0 ? copied.error : copied.end ? 0 : EFBIG;
  if (close(to) < 0 && error == 0) error = errno;
  if (error == 0) return;
  unlinkat(u->root, name, 0);
  fault(error, path, error == EFBIG ? "would hold more than can be put in at once" : NULL);
}

static void tell(const struct unpacking *u, bool bundle) {
  struct json j;
  json_begin(&j);
  json_number(&j, "files", u->files);
  json_number(&j, "directories", u->directories);
  json_number(&j, "links", u->links);
  json_number(&j, "bytes", u->bytes);
  json_number(&j, "left", u->left);
  json_bool(&j, "bundle", bundle);
  json_send(&j, STDERR_FILENO);
}

void op_unpack(const struct ask *ask) {
  const char *from = ask_text(ask, "--from"), *why = "", *bundle = ask_text(ask, "--bundle");
  if (bundle != NULL && (!is_plain(bundle) || strchr(bundle, '/') != NULL || strcmp(bundle, ".") == 0)) wrong_use("--bundle needs the name of a file");
  int came = from == NULL ? -1 : open(from, O_RDONLY | O_CLOEXEC);
  if (came < 0) fault(errno, from == NULL ? "--from" : from, NULL);
  bool image = ask_flag(ask, "--image"), is_git = !image && is_bundle(came);
  FILE *in = fdopen(came, "r");
  if (in == NULL) fault(errno, from, NULL);
  struct unpacking u = {.any_links = image, .most_entries = ask_number(ask, "--most-entries", 200000), .most_bytes = ask_number(ask, "--most-bytes", (int64_t)8 << 30)};
  if (is_git && bundle == NULL) return tell(&u, true);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s", ask->path);
  u.root = open_made(ask->root, path, strcmp(path, ".") == 0 ? 0 : strlen(path));
  if (u.root < 0) fault(errno, ask->path, NULL);
  if (is_git) {
    put_bundle(&u, came, ask->path, bundle);
    return tell(&u, true);
  }
  // holdfastd, its group, moves it out of the agent's reach, and rename(2) wants a directory that changes its parent to be writable. Without
  // the set-group-id bit what is in it has the agent's own group; for others it is shut, since every agent can come by.
  if (image && fchmod(u.root, 0770) < 0) fault(errno, ask->path, NULL);
  struct settled *directories = calloc((size_t)u.most_entries + 1, sizeof *directories);
  if (directories == NULL) fault(ENOMEM, ask->path, NULL);

  static struct tar_member m;
  int more;
  while ((more = tar_next(in, &m, &why)) == 1) {
    if (u.files + u.directories + u.links + u.left >= u.most_entries) fault(E2BIG, m.path, "is one path more than can be put in at once");
    char shown[PATH_MAX];
    snprintf(shown, sizeof shown, "%s", m.path);
    if (!normal(m.path)) fault(EINVAL, shown, "leads out of the directory it is put in: absolute, or with a `..`");
    if (m.path[0] == '\0') continue;
    if (m.type == '5') {
      int dir = open_made(u.root, m.path, strlen(m.path));
      if (dir < 0) fault(errno, m.path, NULL);
      close(dir);
      directories[u.directories].path = strdup(m.path);
      if (directories[u.directories].path == NULL) fault(ENOMEM, m.path, NULL);
      // An image is the agent's, and one that its owner could not read or remove would be nobody's.
      directories[u.directories].mode = (m.mode & 0777) | (image ? 0700 : 0);
      directories[u.directories++].mtime = m.mtime;
      continue;
    }
    bool wanted = m.type == '0' || (m.type == '2' && (u.any_links || stays(m.path, m.target))) || (m.type == '1' && normal(m.target) && m.target[0] != '\0');
    if (!wanted) {
      leave(&u, m.path, m.type == '2' ? "a link that leads out" : m.type == '1' ? "another name of a file that lies outside" : "no file, directory or link");
      if (!tar_skip(in, m.size)) fault(EBADMSG, m.path, "the archive ends within it");
      continue;
    }
    char *slash = strrchr(m.path, '/');
    int dir = open_made(u.root, m.path, slash == NULL ? 0 : (size_t)(slash - m.path));
    if (dir < 0) fault(errno, m.path, NULL);
    put_name(&u, in, &m, dir, slash == NULL ? m.path : slash + 1);
    close(dir);
  }
  if (more < 0) fault(EBADMSG, "the archive", why);
  for (int64_t i = u.directories; i-- > 0;) {
    int dir = open_beneath(u.root, directories[i].path, O_RDONLY | O_DIRECTORY, 0);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = directories[i].mtime}};
    if (dir >= 0) (void)(fchmod(dir, directories[i].mode) + futimens(dir, times));
    if (dir >= 0) close(dir);
  }
  if (image) make_mount_points(u.root);
  if (syncfs(u.root) < 0 || fflush(stdout) != 0) fault(errno, ask->path, NULL);
  tell(&u, false);
}
