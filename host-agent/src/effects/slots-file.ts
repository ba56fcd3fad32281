// SPDX-License-Identifier: Apache-2.0
import { basename, dirname } from 'node:path';
import { parseSlots, printSlots, type Slots } from '../config/slots.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { readOwnedFile, replaceFile, withMadeDirectory } from './rooted-files.ts';

/** Which agent has which slot. No file yet is an empty record; a file that cannot be trusted is a refusal, never an empty record. */
export function readSlots(root: string, path: string, self: number): Result<Slots> {
  return withMadeDirectory(root, dirname(path), (directory) => {
    const read = readOwnedFile(directory, basename(path), 64 * 1024, [self]);
    if (!read.ok) return read.missing ? accept(new Map()) : refuse(`${path}: ${read.message}`);
    const slots = parseSlots(Buffer.from(read.bytes).toString('utf8'));
    return slots.ok ? slots : refuse(`${path}: ${slots.error}; no agent is started rather than given another's files`);
  });
}

/** Before anybody acts on it: a slot that was given and forgotten would be given again. */
export function writeSlots(root: string, path: string, slots: Slots): void {
  withMadeDirectory(root, dirname(path), (directory) => {
    replaceFile(directory, basename(path), printSlots(slots), { mode: 0o600, durable: true });
  });
}
