// SPDX-License-Identifier: Apache-2.0
// Extended attributes of an open file or directory, access control lists among them, as one text: sorted, in hexadecimal.
#pragma once

// Those of `security.` and `trusted.` are left out: they are not the agent's to set. "" when there are none; NULL with errno set.
char *xattrs_read(int fd);

// Makes them what the text says. Zero, or errno.
int xattrs_write(int fd, const char *text);
