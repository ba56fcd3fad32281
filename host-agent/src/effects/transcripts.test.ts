// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentName, CallId } from '../identity/ids.ts';
import { openTranscript, type Transcript } from './transcripts.ts';

const demo = 'demo' as AgentName;
const head = { columns: 80, rows: 24, title: 'demo c-1', timestamp: 1_700_000_000, env: { SHELL: 'bash', TERM: 'xterm' } };
let dir = '';
beforeEach(() => (dir = mkdtempSync('/tmp/holdfast-transcripts-')));
afterEach(() => rmSync(dir, { recursive: true }));

function open(n: number): Transcript {
  const opened = openTranscript(dir, demo, `c-${n}` as CallId, head, 30 * 24 * HOUR * 1000);
  if (!opened.ok) throw new Error(opened.error);
  return opened.value;
}

const HOUR = 3600;
/** One that was written so many hours ago. */
function kept(n: number, hours: number, bytes = 1): void {
  const file = join(dir, `demo/c-${n}.cast`);
  mkdirSync(join(dir, 'demo'), { recursive: true });
  writeFileSync(file, '');
  truncateSync(file, bytes);
  const at = Date.now() / 1000 - hours * HOUR;
  utimesSync(file, at, at);
}
const names = (): readonly string[] => readdirSync(join(dir, 'demo'));

test('is an asciicast of what was typed and shown, and its digest is of the file', () => {
  const transcript = open(1);
  transcript.event(0, 'o', '\x1b[1m\x9b6n\x7f$ ');
  transcript.event(1_234, 'i', 'ls\n');
  const { digest, bytes, missed } = transcript.end(2_000);
  const file = readFileSync(join(dir, 'demo/c-1.cast'));
  const [first, ...events] = file.toString().trimEnd().split('\n').map((line) => JSON.parse(line) as unknown);
  expect(first).toEqual({ version: 2, width: 80, height: 24, timestamp: 1_700_000_000, title: 'demo c-1', env: { SHELL: 'bash', TERM: 'xterm' } });
  expect(events).toEqual([[0, 'o', '\x1b[1m\x9b6n\x7f$ '], [1.234, 'i', 'ls\n']]);
  // No byte of it acts on a terminal either, should somebody print the file.
  expect(file.toString()).toMatch(/^[\x20-\x7e\n]*$/);
  expect({ digest, bytes, missed }).toEqual({ digest: createHash('sha256').update(file).digest('hex'), bytes: file.length, missed: 0 });
  expect(statSync(join(dir, 'demo/c-1.cast')).mode & 0o777).toBe(0o600);
});

test('is the beginning of a long one, and says how much is missing', () => {
  const transcript = open(1);
  for (let n = 0; n < 100; n += 1) transcript.event(n, 'o', 'x'.repeat(64 * 1024));
  transcript.event(101, 'o', 'small');
  const { bytes, missed } = transcript.end(102);
  expect(bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect(bytes).toBeGreaterThan(3.9 * 1024 * 1024);
  const last = readFileSync(join(dir, 'demo/c-1.cast'), 'utf8').trimEnd().split('\n').at(-1)!;
  expect(JSON.parse(last)).toEqual([0.102, 'm', `${missed} more bytes were typed or shown`]);
});

test('the oldest of an agent go, and the old; no call has two', () => {
  for (let n = 0; n < 256; n += 1) kept(n, 25 + n);
  open(256).end(0);
  expect(names()).toHaveLength(256);
  expect(names()).not.toContain('c-255.cast');
  kept(10, 31 * 24);
  open(257).end(0);
  expect(names()).not.toContain('c-10.cast');
  expect(names()).toHaveLength(256);
  rmSync(join(dir, 'demo/c-0.cast'));
  expect(() => open(257)).toThrow(/EEXIST/);
});

test('none of the last day goes for another: there is no room for that one', () => {
  for (let n = 0; n < 256; n += 1) kept(n, n === 0 ? 23.5 : 1);
  expect(() => open(256)).toThrow('what it shows cannot be recorded: 256 shells of the last day are kept, and nothing of them goes for 1 hour more');
  expect(names()).toHaveLength(256);
  kept(0, 24.5);
  open(256).end(0);
  expect(names()).toHaveLength(256);
});

test('nor for its length: 64 MiB are the most', () => {
  const whole = 4 * 1024 * 1024;
  for (let n = 0; n < 14; n += 1) kept(n, 2, whole);
  open(15).end(0);
  kept(16, 48, whole);
  open(17).end(0);
  expect(names()).not.toContain('c-16.cast');
  kept(18, 3, whole);
  expect(() => open(19)).toThrow(/cannot be recorded: 17 shells of the last day are kept, and nothing of them goes for 21 hours more/);
});
