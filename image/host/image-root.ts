// SPDX-License-Identifier: Apache-2.0
// The root file system out of an image file, without booting it.
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runInTools } from './workplace.ts';

const SECTOR = 512;
const EROFS = 0xe0f5e1e2;

/** Where the partition begins that holds an erofs: its magic number lies 1024 bytes into it. GPT's entries stand from sector 2 on. */
function erofsOffset(raw: string): number {
  const file = openSync(raw, 'r');
  const read = (at: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, at);
    return bytes;
  };
  try {
    const entries = read(2 * SECTOR, 128 * 32);
    for (let n = 0; n < 32; n += 1) {
      const begin = Number(entries.readBigUInt64LE(n * 128 + 32)) * SECTOR;
      if (begin > 0 && read(begin + 1024, 4).readUInt32LE() === EROFS) return begin;
    }
    throw new Error(`there is no erofs in ${raw}`);
  } finally {
    closeSync(file);
  }
}

/** Hands `work` a folder with the whole root, which is gone afterwards. */
export async function withImageRoot<T>(raw: string, work: (root: string) => T): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-root-'));
  try {
    const root = join(dir, 'root');
    await runInTools([`${dirname(raw)}:ro`, dir], ['fsck.erofs', `--offset=${erofsOffset(raw)}`, `--extract=${root}`, '--no-preserve', raw], { log: openSync('/dev/null', 'w') });
    return work(root);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
