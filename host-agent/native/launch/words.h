// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one call adds to a prepared sandbox: words, each ended by a zero byte, the first of them the number of the others.
// Reads to the end of the file. Null when it ended before the last word: who asked has gone, and there is nobody to tell.
char **words_read(int fd);
