// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../json-out.h"

static const char *sentence(int error) {
  switch (error) {
    case ELOOP:
      return "goes through a symbolic link; name the target itself";
    case EXDEV:
      return "leads out of the directory it must lie in, or to another file system";
    case ENOENT:
      return "does not exist, or is not visible to this call";
    case ENOTDIR:
      return "a part of the path is not a directory";
    case EISDIR:
      return "is a directory";
    case EEXIST:
      return "exists already; replace it, or choose another name";
    case ENOTEMPTY:
      return "is a directory that is not empty; delete it recursively, or what lies in it first";
    case EACCES:
    case EPERM:
      return "the owner and mode of the file, or the profile of this agent's type, do not allow it";
    case EROFS:
      return "is visible to this call for reading only";
    case ENOSPC:
    case EDQUOT:
      return "no space is left";
    case ENAMETOOLONG:
      return "a name is longer than the file system allows";
    case EBUSY:
      return "is in use as a mount point or as the directory this agent is held in";
    default:
      return strerror(error);
  }
}

_Noreturn void fault(int error, const char *path, const char *what) {
  struct json j;
  json_begin(&j);
  json_errno(&j, "errno", error);
  // The sentence first: a path can be long enough to be cut.
  json_string(&j, "what", what == NULL ? sentence(error) : what);
  json_string(&j, "path", path);
  json_send(&j, STDERR_FILENO);
  _exit(1);
}

_Noreturn void wrong_use(const char *what) {
  struct json j;
  json_begin(&j);
  json_errno(&j, "errno", EINVAL);
  json_string(&j, "what", what);
  json_send(&j, STDERR_FILENO);
  _exit(2);
}
