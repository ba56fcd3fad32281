// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { addon } from './addon.ts';

/**
 * Bytes in the kernel's keyring of this very process (R43): not in our heap, so in no swapped page and no dump of it, and nobody who is
 * not this process can read or even see them, of the same uid or root. It ends with the process. Main thread only: which process keyring
 * is meant is a matter of a thread's credentials.
 */
export type ProcessKeyring = {
  /** Wipes nothing: the bytes given are the caller's. */
  readonly keep: (bytes: Buffer) => number;
  /** The caller wipes what it gets. */
  readonly read: (serial: number) => Buffer;
  readonly drop: (serial: number) => void;
};

export function processKeyring(): ProcessKeyring {
  return {
    // A number and no name: descriptions are shown in /proc/keys to whoever may see a key.
    keep: (bytes) => addon().keyAdd(`hf:${randomBytes(8).toString('hex')}`, bytes),
    read: (serial) => addon().keyRead(serial),
    drop: (serial) => addon().keyDrop(serial),
  };
}
