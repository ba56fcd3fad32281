// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "seccomp-filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp-filters.h"

static const struct sock_fprog *find(const char *name) {
  for (size_t i = 0; i < sizeof FILTERS / sizeof FILTERS[0]; i++) {
    if (strcmp(name, FILTERS[i].name) == 0) return &FILTERS[i].program;
  }
  return NULL;
}

bool seccomp_filter_known(const char *name) { return find(name) != NULL; }

bool seccomp_filter_load(const char *name) {
  const struct sock_fprog *program = find(name);
  if (program == NULL) {
    errno = EINVAL;
    return false;
  }
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) == 0;
}
