// SPDX-License-Identifier: Apache-2.0

// Beyond these a line is not read, and so refused.

export const MOST_LINE = 65_536;
/** Code within code. */
export const MOST_DEPTH = 12;
/** Characters of quoted code, over all levels: reading stays in proportion to the line. */
export const MOST_CODE = 4 * MOST_LINE;
/** Of the tree, quoted code included: a stack has an end. */
export const MOST_LEVELS = 512;
/** Substitutions within substitutions. */
export const MOST_PRINTING = 48;
/** Words of one command, after braces and variables. */
export const MOST_VALUES = 16_384;
export const MOST_MEMBERS = 4096;
export const MOST_WRAPPERS = 16;
/** Of a word that xargs fills in. */
export const MOST_FILLED = 65_536;
