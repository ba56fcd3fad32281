// SPDX-License-Identifier: Apache-2.0
// What the tools look for that tell an attacker in a container how to get out of it (deepce, CDK, amicontained), asked again in our own words.
// 0 is a finding, and a line that begins with # says which; -1 is none.
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

static int none(void) {
  errno = ENOENT;
  return -1;
}

static int found(const char *kind, const char *what) {
  printf("# %s %s\n", kind, what);
  return 0;
}

// The first line of a file that begins with `name`, without it.
static bool line_of(const char *path, const char *name, char *value, size_t size) {
  FILE *f = fopen(path, "re");
  if (f == NULL) return false;
  char line[4096];
  bool is = false;
  while (!is && fgets(line, sizeof line, f) != NULL) is = strncmp(line, name, strlen(name)) == 0;
  fclose(f);
  if (is) {
    const char *v = line + strlen(name);
    v += strspn(v, " \t");
    snprintf(value, size, "%.*s", (int)strcspn(v, "\n"), v);
  }
  return is;
}

static bool begins(const char *path, const char *with) {
  char value[256];
  return line_of(path, with, value, sizeof value);
}

static int capability(void) {
  const char *sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
  int r = -1;
  for (int i = 0; i < 5; i++) {
    char value[64] = "";
    if (line_of("/proc/self/status", sets[i], value, sizeof value) && strtoull(value, NULL, 16) != 0) r = found(sets[i], value);
  }
  return r == 0 ? 0 : none();
}

// A process of another user, or of the kernel.
static int others(void) {
  DIR *proc = opendir("/proc");
  int r = -1;
  for (struct dirent *e; proc != NULL && r < 0 && (e = readdir(proc)) != NULL;) {
    char path[300];
    struct stat s;
    snprintf(path, sizeof path, "/proc/%s", e->d_name);
    if (atoi(e->d_name) > 0 && stat(path, &s) == 0 && s.st_uid != getuid()) r = found("process", e->d_name);
  }
  if (proc != NULL) closedir(proc);
  return r == 0 ? 0 : none();
}

static int in_lines(const char *path, bool (*is)(char *line)) {
  FILE *f = fopen(path, "re");
  if (f == NULL) return -1;
  char line[4096];
  int r = -1;
  while (fgets(line, sizeof line, f) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (is(line)) r = found(path, line);
  }
  fclose(f);
  return r == 0 ? 0 : none();
}

static bool interface(char *line) {
  char *colon = strchr(line, ':');
  return colon != NULL && strncmp(line + strspn(line, " "), "lo:", 3) != 0;
}

static bool named_socket(char *line) { return strchr(line, '@') != NULL || strstr(line, " /") != NULL; }

// Of a file system with a disk behind it, writable, and not the agent's own folder.
static bool writable_mount(char *line) {
  char at[1024], options[256];
  char *type = strstr(line, " - ");
  if (type == NULL || sscanf(line, "%*s %*s %*s %*s %1023s %255s", at, options) != 2) return false;
  const char *memory[] = {"tmpfs", "devpts", "ramfs", "mqueue", "devtmpfs"};
  for (int i = 0; i < 5; i++) if (strncmp(type + 3, memory[i], strlen(memory[i])) == 0) return false;
  return strncmp(options, "rw", 2) == 0 && strcmp(at, "/workspace") != 0;
}

static int secret_in_environment(void) {
  const char *words[] = {"TOKEN", "SECRET", "PASS", "KEY", "CREDENTIAL", "KUBERNETES", "DOCKER", "SSH_"};
  for (char **v = environ; *v != NULL; v++) {
    for (int i = 0; i < 8; i++) {
      char *name = strstr(*v, words[i]);
      if (name != NULL && name < strchr(*v, '=')) return found("environment", *v);
    }
  }
  return none();
}

static int group(void) {
  gid_t groups[64];
  int n = getgroups(64, groups);
  for (int i = 0; i < n; i++) if (groups[i] != getgid()) return found("group", "");
  return getgid() == 0 ? found("group", "0") : none();
}

static int of_status(const char *name, const char *bad) {
  char value[64] = "";
  return line_of("/proc/self/status", name, value, sizeof value) && strcmp(value, bad) == 0 ? found(name, value) : none();
}

static int finding(const char *what) {
  if (!strcmp(what, "capability")) return capability();
  if (!strcmp(what, "in-effect")) return of_status("CapEff:", "0000000000000000") == 0 ? none() : 0;
  if (!strcmp(what, "no-filter")) return of_status("Seccomp:", "0");
  if (!strcmp(what, "new-privileges")) return of_status("NoNewPrivs:", "0");
  if (!strcmp(what, "no-profile")) return begins("/proc/self/attr/current", "unconfined") ? 0 : none();
  if (!strcmp(what, "host-processes")) return begins("/proc/2/comm", "kthreadd") ? 0 : none();
  if (!strcmp(what, "others-processes")) return others();
  if (!strcmp(what, "interface")) return in_lines("/proc/self/net/dev", interface);
  if (!strcmp(what, "named-sockets")) return in_lines("/proc/self/net/unix", named_socket);
  if (!strcmp(what, "all-users")) return begins("/proc/self/uid_map", "         0          0 4294967295") ? 0 : none();
  if (!strcmp(what, "writable-mount")) return in_lines("/proc/self/mountinfo", writable_mount);
  if (!strcmp(what, "secret-in-environment")) return secret_in_environment();
  if (!strcmp(what, "group")) return group();
  if (!strcmp(what, "fixed-addresses")) return begins("/proc/sys/kernel/randomize_va_space", "0") || begins("/proc/sys/kernel/randomize_va_space", "1") ? 0 : none();
  errno = EINVAL;
  return -1;
}

// --- files, from the root down, in one walk for all kinds; /usr is of the image, read-only, and walked by hardening.test.ts

enum kind { SETID, WRITABLE, SOCKET, DEVICE, SECRET, KINDS };
static const char *const kinds[KINDS] = {"setid", "writable", "socket", "device", "secret"};
static int lying[KINDS];

static void lies_here(enum kind kind, const char *path) {
  if (lying[kind]++ < 60) found(kinds[kind], path);
}

// Where everybody may write, or an agent should.
static bool own(const char *path) {
  const char *places[] = {"/workspace", "/tmp", "/var/tmp", "/dev", "/proc"};
  for (int i = 0; i < 5; i++) {
    size_t n = strlen(places[i]);
    if (strncmp(path, places[i], n) == 0 && (path[n] == '/' || path[n] == '\0')) return true;
  }
  return false;
}

static bool is_secret(const char *name) {
  const char *names[] = {"shadow", "gshadow", "id_rsa", "id_ed25519", "ssh_host_ed25519_key", ".git-credentials", ".netrc", "authorized_keys", "token", "receipt.key"};
  for (int i = 0; i < 10; i++) if (strcmp(name, names[i]) == 0) return true;
  return false;
}

static void walk(const char *folder, int depth) {
  DIR *open_folder = depth > 40 ? NULL : opendir(folder);
  if (open_folder == NULL) return;
  for (struct dirent *e; (e = readdir(open_folder)) != NULL;) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, e->d_name) >= (int)sizeof path) continue;
    struct stat s;
    if (lstat(path, &s) < 0 || strcmp(path, "/proc") == 0 || strcmp(path, "/sys") == 0 || strcmp(path, "/usr") == 0) continue;
    if (S_ISREG(s.st_mode) && ((s.st_mode & 06000) != 0 || getxattr(path, "security.capability", NULL, 0) > 0)) lies_here(SETID, path);
    if (S_ISSOCK(s.st_mode) && access(path, W_OK) == 0) lies_here(SOCKET, path);
    if ((S_ISBLK(s.st_mode) || S_ISCHR(s.st_mode)) && access(path, R_OK) == 0) lies_here(DEVICE, path);
    if (S_ISREG(s.st_mode) && is_secret(e->d_name) && access(path, R_OK) == 0 && s.st_size > 0) lies_here(SECRET, path);
    if (!S_ISLNK(s.st_mode) && !S_ISSOCK(s.st_mode) && !own(path) && access(path, W_OK) == 0) lies_here(WRITABLE, path);
    if (S_ISDIR(s.st_mode)) walk(path, depth + 1);
  }
  closedir(open_folder);
}

static int lies(const char *what) {
  static bool walked;
  if (!walked) walk("/", 0);
  walked = true;
  for (int k = 0; k < KINDS; k++) if (!strcmp(what, kinds[k])) return lying[k] > 0 ? 0 : none();
  errno = EINVAL;
  return -1;
}
