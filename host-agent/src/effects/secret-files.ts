// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { accept, refuse, type Result } from '../identity/result.ts';
import { MOST_STORE_BYTES, readStore } from '../secret/store-file.ts';
import { writeDurably } from './durable-file.ts';
import { readUpTo } from './rooted-files.ts';

/**
 * How the encrypted store comes and goes. Where it lies on the disk only root's units know, which mount that place for a moment (R43).
 *
 * In: before each start of holdfast-secretd they put one of `store`, `none` (they looked, and there is no store) or `failed` (why they
 * could not look) into the folder. None of the three means that nobody looked, which is not the same as that there is no store.
 * Out: we write `store`, whole and synced; they take it away, keep it and answer with `kept`, the SHA-256 in hex of what they kept, or
 * `failed`, why not. A store that is still there when we start was not taken.
 */
export type SecretFiles = {
  /** The store, or null when there is none; afterwards no file of it is left but one that was not kept. */
  readonly take: () => Result<Buffer | null>;
  readonly put: (bytes: Uint8Array) => void;
  /** Once more what was put last. */
  readonly putAgain: () => void;
  /** Null once root's unit has kept what was put last, else why that is not known. */
  readonly kept: () => Promise<string | null>;
};

const KEPT_MS = 30_000;
const LOOK_MS = 25;
export const MOST_TEXT = 1_024;

export function openSecretFiles(inside: string, outside: string, waitMs: number = KEPT_MS): SecretFiles {
  for (const folder of [inside, outside]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  let last: { readonly bytes: Uint8Array; readonly sum: string } | null = null;

  function take(): Result<Buffer | null> {
    const given = readIn(`${inside}/store`, MOST_STORE_BYTES);
    const unkept = readIn(`${outside}/store`, MOST_STORE_BYTES);
    const failed = readIn(`${inside}/failed`, MOST_TEXT);
    const none = readIn(`${inside}/none`, MOST_TEXT);
    for (const read of [given, unkept, failed, none]) if (!read.ok) return read;
    // Each word is for one start: by the next there may be a store where there was none.
    for (const name of ['store', 'none', 'failed']) rmSync(`${inside}/${name}`, { force: true });
    const store = newer(given.ok ? given.value : null, unkept.ok ? unkept.value : null);
    if (store !== null) return accept(store);
    if (failed.ok && failed.value !== null) return refuse(`the store could not be read from its partition: ${plain(failed.value)}`);
    return none.ok && none.value !== null ? accept(null) : refuse('the store was not handed over: the unit that reads it from its partition did not run; see its journal');
  }

  function put(bytes: Uint8Array): void {
    for (const name of ['kept', 'failed']) rmSync(`${outside}/${name}`, { force: true });
    writeDurably(`${outside}/store`, bytes, 0o600);
    last = { bytes, sum: createHash('sha256').update(bytes).digest('hex') };
  }

  return {
    take,
    put,
    putAgain: () => {
      if (last !== null) put(last.bytes);
    },
    kept: async () => {
      for (const until = performance.now() + waitMs; performance.now() < until; await sleep(LOOK_MS)) {
        const answer = readIn(`${outside}/kept`, MOST_TEXT);
        if (answer.ok && answer.value !== null && plain(answer.value) === last?.sum) {
          for (const name of ['store', 'kept']) rmSync(`${outside}/${name}`, { force: true });
          return null;
        }
        const failed = readIn(`${outside}/failed`, MOST_TEXT);
        if (failed.ok && failed.value !== null) return plain(failed.value);
      }
      return `the unit that writes it to its partition did not answer within ${Math.round(waitMs / 1_000)} s`;
    },
  };
}

/** One that was not kept is newer than what the disk has, unless the disk has gone on since. */
function newer(given: Buffer | null, unkept: Buffer | null): Buffer | null {
  if (given === null || unkept === null) return given ?? unkept;
  const [ofDisk, ofUs] = [readStore(given), readStore(unkept)];
  if (!ofUs.ok) return given;
  const behind = ofDisk.ok && ofDisk.value.header.id === ofUs.value.header.id && ofDisk.value.header.generation > ofUs.value.header.generation;
  return behind ? given : unkept;
}

/** A file that comes from root's units, or that we wrote; null where there is none. */
export function readIn(path: string, most: number): Result<Buffer | null> {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    return code === 'ENOENT' ? accept(null) : refuse(`cannot read ${path}: ${code}`);
  }
  try {
    const facts = fstatSync(file);
    if (!facts.isFile() || (facts.uid !== 0 && facts.uid !== process.getuid?.())) return refuse(`cannot trust ${path}: it is no regular file of root's or of ours`);
    if (facts.size > most) return refuse(`cannot read ${path}: it is larger than ${most} bytes`);
    return accept(Buffer.from(readUpTo(file, most)));
  } finally {
    closeSync(file);
  }
}

export function plain(text: Uint8Array): string {
  return Buffer.from(text).toString('latin1').replaceAll(/[^\x20-\x7e]+/g, ' ').trim().slice(0, 300);
}
