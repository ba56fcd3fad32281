// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fchmodSync, fsyncSync, linkSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes names in a directory last: a new file, a rename, an unlink. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Whole or not at all, also when the power goes. With `once`, an existing file is a fault instead of being replaced. */
export function writeDurably(path: string, bytes: Uint8Array | string, mode: number, once = false): void {
  const temporary = `${path}.new`;
  dropLeftover(temporary);
  const descriptor = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    writeFileSync(descriptor, bytes);
    fchmodSync(descriptor, mode);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  if (once) {
    // rename() would replace; link() refuses an existing name.
    linkSync(temporary, path);
    unlinkSync(temporary);
  } else {
    renameSync(temporary, path);
  }
  syncDirectory(dirname(path));
}

/** What a crash left half written was never valid under its own name. */
function dropLeftover(path: string): void {
  try {
    unlinkSync(path);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ENOENT') throw fault;
  }
}
