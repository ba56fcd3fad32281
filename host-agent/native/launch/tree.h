// SPDX-License-Identifier: Apache-2.0
// The file tree of a call, built mount by mount beside the runner's own and entered at the end. Each mount comes to be detached,
// gets its flags, and only then a place: at no moment is anything there that may be written and should not be. No mount of a call
// takes part in any other's propagation, and none honours set-user-id or, but for the few of /dev, devices.
//
// Later mounts lie over earlier ones. Whatever cannot be done refuses the call.
#pragma once
#include <stdbool.h>

// The root: memory of the call, at most `bytes` of it, and until tree_enter seen at `stage`, a directory of the runner's.
void tree_begin(const char *stage, const char *bytes);

// A path of the image, read-only, at `path`. Links in it are followed: whoever can put one there made the image. What an image does
// not have is left out.
void tree_image(const char *source, const char *path);
void tree_link(const char *target, const char *path);
// A directory that everybody in the call may write, in the memory of the root.
void tree_scratch(const char *path);
void tree_dev(void);
// Read-only as a whole: no file of it has a use for a call that writing would not abuse.
void tree_proc(void);
// MODE: ro|rw[-file|-directory]. Never through a symbolic link (A09), and what was opened is what is mounted, whatever is renamed
// meanwhile (A10). What is not there, not reachable or of the other kind is left out and told.
void tree_bind(const char *mode, const char *source, const char *dest);
// Puts something empty over what is seen at `dest`: over a directory one that can be passed through but not listed (a program is
// told EACCES and does not take it for empty), over anything else /dev/null without its device. What is not there needs no hiding;
// what cannot be looked at, or is a link, which no mount can lie over, refuses the call.
void tree_hide(const char *dest);
// Makes the root and what hides read-only and becomes a process of this tree alone.
void tree_enter(void);
