// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { readUpTo } from './rooted-files.ts';

/** Beyond this many remembered at once, calls are refused: it is thousands of times what a runner can have running. */
const MOST = 100_000;
const COMPACT_AT = 1000;
/** Two numbers of 16 digits each. */
const MOST_BYTES = (MOST + COMPACT_AT) * 34;

/**
 * Which receipts this runner has used. The rule: a sequence number is written down before its call starts, and forgotten only
 * when its not-after has passed, from when on the receipt is refused as late. The file lies in a tmpfs that outlives the runner
 * and not the boot (RuntimeDirectoryPreserve=yes), so that neither a restart nor a crash makes a receipt usable twice, and a
 * receipt of an earlier boot is refused by its boot id. No fsync: what the kernel took survives the process.
 */
export type UsedReceipts = {
  /** False when it was used before. Throws when it cannot be written down: then nothing may run. */
  readonly use: (seq: number, notAfter: number) => boolean;
  readonly close: () => void;
};

export function openUsedReceipts(file: string, now: () => number): UsedReceipts {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const used = read(file);
  let fd = rewrite();
  let written = 0;

  function rewrite(): number {
    const at = now();
    for (const [seq, notAfter] of used) if (notAfter <= at) used.delete(seq);
    // Complete under another name first: a crash in between leaves the old list, which is the longer one.
    rmSync(`${file}.new`, { force: true });
    const fresh = openSync(`${file}.new`, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      writeFileSync(fresh, [...used].map(([seq, notAfter]) => `${seq} ${notAfter}\n`).join(''));
      // Nothing can fail after this: were it written on in the file that has lost its name, receipts would be new after a restart.
      renameSync(`${file}.new`, file);
    } catch (fault) {
      closeSync(fresh);
      throw fault;
    }
    return fresh;
  }

  return {
    use(seq, notAfter) {
      if (used.has(seq)) return false;
      if (written >= COMPACT_AT) {
        // Closed only when there is a new one: the number of a closed descriptor soon means another file.
        const old = fd;
        fd = rewrite();
        closeSync(old);
        written = 0;
      }
      if (used.size >= MOST) throw new Error(`cannot remember more than ${MOST} receipts`);
      const line = `${seq} ${notAfter}\n`;
      if (writeSync(fd, line) !== line.length) throw new Error('cannot write down the use of a receipt');
      used.set(seq, notAfter);
      written += 1;
      return true;
    },
    close: () => closeSync(fd),
  };
}

function read(file: string): Map<number, number> {
  const used = new Map<number, number>();
  for (const line of textOf(file).split('\n')) {
    if (line === '') continue;
    const match = /^(\d{1,16}) (\d{1,16})$/.exec(line);
    // Guessing what it said would be guessing which receipts are unused.
    if (match === null) throw unreadable(file, 'it holds something that is no used receipt');
    used.set(Number(match[1]), Number(match[2]));
  }
  return used;
}

/** The folder is the agent's uid's: what lies under this name may be anything, and opening a FIFO would wait for a writer. */
function textOf(file: string): string {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    throw unreadable(file, code === 'ELOOP' ? 'it is a symbolic link' : `it cannot be opened (${code})`);
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw unreadable(file, 'it is no regular file');
    if (facts.uid !== process.geteuid!()) throw unreadable(file, `it belongs to uid ${facts.uid}`);
    const bytes = readUpTo(fd, MOST_BYTES + 1);
    if (bytes.length > MOST_BYTES) throw unreadable(file, `it is longer than ${MOST_BYTES} bytes`);
    return Buffer.from(bytes).toString('latin1');
  } finally {
    closeSync(fd);
  }
}

function unreadable(file: string, why: string): Error {
  return new Error(`which receipts were used is not known, for ${file} cannot be read: ${why}; a reboot clears it`);
}
