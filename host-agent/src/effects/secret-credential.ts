// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { readUpTo } from './rooted-files.ts';

const NAME = 'holdfast.secret-key';
const LEAST = 16;
const MOST = 4_096;

/**
 * The key of this machine's own, which systemd was told to load for our unit, or null. The environment variable alone is nobody's word:
 * the folder must lie where systemd makes such folders, and the file be root's or ours. The caller wipes it.
 */
export function readCredential(credentials: string): Buffer | null {
  const folder = process.env['CREDENTIALS_DIRECTORY'] ?? '';
  if (!folder.startsWith(`${credentials}/`) || folder.slice(credentials.length).split('/').includes('..')) return null;
  let file: number;
  try {
    file = openSync(`${folder}/${NAME}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const facts = fstatSync(file);
    if (!facts.isFile() || (facts.uid !== 0 && facts.uid !== process.getuid?.()) || (facts.mode & 0o022) !== 0) return null;
    const read = Buffer.from(readUpTo(file, MOST + 1));
    const key = read.at(-1) === 0x0a ? read.subarray(0, -1) : read;
    return key.length < LEAST || key.length > MOST ? null : key;
  } finally {
    closeSync(file);
  }
}
