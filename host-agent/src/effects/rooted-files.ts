// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import {
  closeSync, constants, fchmodSync, fchownSync, fstatSync, fsyncSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmdirSync,
  type Stats, symlinkSync, unlinkSync, writeSync,
} from 'node:fs';

// Root's oneshots read and write folders that others own in part, so no step of a path may be a link: each is opened by its own name
// below the descriptor of the one before (openat through /proc/self/fd, which Node does not offer otherwise).

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export type Owner = { readonly uid: number; readonly gid: number };

export function errnoOf(fault: unknown): string {
  const code = (fault as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : 'an unknown error';
}

function below(directory: number, name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) throw new Error('not a single file name');
  return `/proc/self/fd/${directory}/${name}`;
}

function stepsTo(root: string, path: string): readonly string[] {
  if (!path.startsWith(`${root}/`)) throw new Error(`${path} does not lie under the root`);
  return path.slice(root.length).split('/').filter((step) => step !== '');
}

/** Opens a folder without following a link in any step below `root`, hands its descriptor to `use`, and closes it. */
export function withDirectory<T>(root: string, path: string, use: (directory: number) => T): T {
  return walk(root, path, (parent, name) => openSync(below(parent, name), DIRECTORY), use);
}

/** The same, making the missing steps (0755, of whoever runs this). */
export function withMadeDirectory<T>(root: string, path: string, use: (directory: number) => T): T {
  return walk(root, path, openOrMake, use);
}

function walk<T>(root: string, path: string, open: (parent: number, name: string) => number, use: (directory: number) => T): T {
  let directory = openSync(root === '' ? '/' : root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const step of stepsTo(root, path)) {
      const next = open(directory, step);
      closeSync(directory);
      directory = next;
    }
    return use(directory);
  } finally {
    closeSync(directory);
  }
}

function openOrMake(parent: number, name: string): number {
  try {
    mkdirSync(below(parent, name), 0o755);
  } catch (fault) {
    if (errnoOf(fault) !== 'EEXIST') throw fault;
  }
  return openSync(below(parent, name), DIRECTORY);
}

/** A folder with exactly this mode and owner. `owner` null leaves it to whoever runs this. */
export function makeDirectory(root: string, path: string, mode: number, owner: Owner | null): void {
  withMadeDirectory(root, path, (directory) => {
    const facts = fstatSync(directory);
    if (owner !== null && (facts.uid !== owner.uid || facts.gid !== owner.gid)) fchownSync(directory, owner.uid, owner.gid);
    // After the owner: chown clears the set-group-id bit of whoever is not root there.
    if ((fstatSync(directory).mode & 0o7777) !== mode) fchmodSync(directory, mode);
  });
}

export type FileRead =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly facts: Stats }
  | { readonly ok: false; readonly message: string; readonly missing: boolean };

/** One regular file of an open folder, at most `most` bytes, owned by one of `owners` and writable by nobody else (attack case A28). */
export function readOwnedFile(directory: number, name: string, most: number, owners: readonly number[]): FileRead {
  let file: number;
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    file = openSync(below(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (fault) {
    const code = errnoOf(fault);
    const message = code === 'ELOOP' ? 'it is a symbolic link; put the file itself here' : `it cannot be opened (${code})`;
    return { ok: false, message, missing: code === 'ENOENT' };
  }
  try {
    const facts = fstatSync(file);
    const message = distrust(facts, owners, most);
    if (message !== null) return { ok: false, message, missing: false };
    const bytes = readUpTo(file, most + 1);
    if (bytes.length > most) return { ok: false, message: tooLarge(most), missing: false };
    return { ok: true, bytes, facts };
  } catch (fault) {
    return { ok: false, message: `it cannot be read (${errnoOf(fault)})`, missing: false };
  } finally {
    closeSync(file);
  }
}

function distrust(facts: Stats, owners: readonly number[], most: number): string | null {
  if (!facts.isFile()) return 'it is not a regular file';
  if (facts.size > most) return tooLarge(most);
  return distrustOwner(facts, owners);
}

export function distrustOwner(facts: Stats, owners: readonly number[]): string | null {
  if (!owners.includes(facts.uid)) return `it belongs to uid ${facts.uid}; it must belong to root or holdfast`;
  if ((facts.mode & 0o022) !== 0) return 'others than its owner can write it; chmod go-w';
  return null;
}

function tooLarge(most: number): string {
  return `it is larger than ${Math.floor(most / 1024)} KiB; make it smaller`;
}

/** Reads on until the end or the bound: files of /sys show no size. */
export function readUpTo(file: number, most: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (total < most) {
    const chunk = Buffer.alloc(Math.min(65_536, most - total));
    const read = readSync(file, chunk, 0, chunk.length, null);
    if (read === 0) break;
    chunks.push(chunk.subarray(0, read));
    total += read;
  }
  return Buffer.concat(chunks);
}

// After the name, so that a profile that allows a file can allow its drafts, and no reader of `*.user` or `*.conf` takes one up.
function draftOf(name: string): string {
  return `${name}.${randomBytes(8).toString('hex')}.draft`;
}

export type WriteOptions = { readonly mode: number; readonly owner?: Owner | null; readonly durable?: boolean };

/** Puts a whole new file in the place of `name`: a reader sees the old bytes or the new, and with `durable` a power cut does too. */
export function replaceFile(directory: number, name: string, content: string | Uint8Array, options: WriteOptions): void {
  const draft = draftOf(name);
  const create = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = openSync(below(directory, draft), create, 0o600);
  try {
    const bytes = Buffer.from(content);
    for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
    if (options.owner) fchownSync(file, options.owner.uid, options.owner.gid);
    fchmodSync(file, options.mode);
    if (options.durable === true) fsyncSync(file);
    renameSync(below(directory, draft), below(directory, name));
    if (options.durable === true) fsyncSync(directory);
  } catch (fault) {
    try {
      unlinkSync(below(directory, draft));
    } catch {
      // The draft's own fault is the one to report.
    }
    throw fault;
  } finally {
    closeSync(file);
  }
}

export function namesIn(directory: number): readonly string[] {
  return readdirSync(`/proc/self/fd/${directory}`).sort();
}

/** Removes a name, not what a link points to. */
export function removeName(directory: number, name: string): void {
  unlinkSync(below(directory, name));
}

export function removeEmptyDirectory(directory: number, name: string): void {
  rmdirSync(below(directory, name));
}

export function replaceLink(directory: number, name: string, target: string): void {
  const draft = draftOf(name);
  symlinkSync(target, below(directory, draft));
  renameSync(below(directory, draft), below(directory, name));
}
