// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import {
  appendFileSync, chownSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, symlinkSync, truncateSync, writeFileSync, writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openUsedReceipts } from './used-receipts.ts';

let dir: string;
let file: string;
let now = 0;
const open = () => openUsedReceipts(file, () => now);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-used-'));
  file = join(dir, 'demo/used');
  now = 0;
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('a receipt can be used once', () => {
  const used = open();
  expect([used.use(7, 100), used.use(8, 100), used.use(7, 100)]).toEqual([true, true, false]);
  used.close();
});

test('a runner that is started anew remembers, also after it was killed', () => {
  // Not closed: what a killed process leaves.
  open().use(7, 100);
  const used = open();
  expect([used.use(7, 100), used.use(8, 100)]).toEqual([false, true]);
  expect(open().use(8, 100)).toBe(false);
});

test('what is forgotten is late, and the list does not grow for ever', () => {
  const used = open();
  for (let seq = 1; seq <= 5000; seq += 1) {
    now = seq;
    expect(used.use(seq, seq + 10)).toBe(true);
    // As long as its time lasts it is known.
    if (seq > 9) expect(used.use(seq - 9, seq + 1)).toBe(false);
  }
  expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThan(1100);
});

test('a list that cannot be compacted stops calls, touches no other file, and goes on when it can be again', () => {
  const used = open();
  for (let seq = 1; seq <= 1000; seq += 1) expect(used.use(seq, 100)).toBe(true);
  mkdirSync(`${file}.new`);
  expect(() => used.use(1001, 100)).toThrow(/EISDIR/);
  // Whoever opens files next gets the lowest numbers that are free.
  const others = [0, 1, 2].map((n) => openSync(join(dir, `other${n}`), 'w'));
  expect(() => used.use(1002, 100)).toThrow(/EISDIR/);
  rmdirSync(`${file}.new`);
  expect([used.use(1003, 100), used.use(7, 100)]).toEqual([true, false]);
  for (const [n, other] of others.entries()) {
    writeSync(other, 'x');
    closeSync(other);
    expect(readFileSync(join(dir, `other${n}`), 'utf8')).toBe('x');
  }
  used.close();
  const again = open();
  expect([again.use(1, 100), again.use(1003, 100), again.use(1004, 100)]).toEqual([false, false, true]);
});

test('a list that cannot be read is told, instead of making receipts new', () => {
  open().use(7, 100);
  appendFileSync(file, 'x\n');
  expect(open).toThrow(/cannot be read: it holds something that is no used receipt; a reboot clears it/);
});

// The folder belongs to the agent's uid, as everything does that a runner leaves for the next one.
const root = process.getuid?.() === 0;
test.each<readonly [string, () => void, RegExp]>([
  ['a FIFO', () => void execFileSync('mkfifo', [file]), /it is no regular file/],
  ['a folder', () => mkdirSync(file), /it is no regular file/],
  ['a link', () => symlinkSync('/dev/zero', file), /it is a symbolic link/],
  ['a file without end', () => writeFileSync(file, '\n'.repeat(4_000_000)), /it is longer than/],
  ['a hole without end', () => (writeFileSync(file, ''), truncateSync(file, 2 ** 40)), /it is longer than/],
  ...(root ? [['somebody else\'s', () => (writeFileSync(file, ''), chownSync(file, 12_345, 12_345)), /it belongs to uid 12345/] as const] : []),
])('%s in its place is told, and neither waited for nor followed', (_, put, why) => {
  mkdirSync(join(dir, 'demo'));
  put();
  expect(open).toThrow(why);
});

test('what lies where the next list is written is not written into', () => {
  open().close();
  execFileSync('mkfifo', [`${file}.new`]);
  open().use(7, 100);
  const other = join(dir, 'other');
  writeFileSync(other, 'kept');
  symlinkSync(other, `${file}.new`);
  expect(open().use(7, 100)).toBe(false);
  expect(readFileSync(other, 'utf8')).toBe('kept');
});
