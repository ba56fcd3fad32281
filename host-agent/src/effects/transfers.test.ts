// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TransfersPort } from '../door/operator-project.ts';
import type { AgentName } from '../identity/ids.ts';
import { openTransfers } from './transfers.ts';

// The folder of an agent's transfers is the agent's: what lies in it is whatever its uid has put there.

const DEMO = 'demo' as AgentName;
const OTHER = 'other' as AgentName;
let dir = '';
let own = '';
let told: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-transfers-'));
  own = join(dir, DEMO);
  for (const agent of [DEMO, OTHER]) mkdirSync(join(dir, agent));
  told = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

const start = (...agents: AgentName[]): TransfersPort => openTransfers(dir, agents, (agent, why) => told.push(`${agent}: ${why}`));

test('a new holdfastd removes what one that was killed left, and nothing of those that begin meanwhile', async () => {
  for (const agent of [DEMO, OTHER]) writeFileSync(join(dir, agent, 't-0123456789abcdef'), 'left');
  const transfers = start(DEMO, OTHER);
  const begun = transfers.begin(DEMO, 'ops');
  if (!begun.ok) throw new Error(begun.error);
  expect(await transfers.write(begun.value, 'ops', 0, Buffer.from('new'))).toEqual({ ok: true, value: null });
  await vi.waitFor(() => expect([readdirSync(own), readdirSync(join(dir, OTHER))]).toEqual([[begun.value], []]));
  expect(told).toEqual([]);
  transfers.end(begun.value, 'ops');
});

test('what cannot be removed stays, is told once, and keeps nobody from starting', async () => {
  const outside = join(dir, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'kept');
  mkdirSync(join(own, 'a/b'), { recursive: true });
  mkdirSync(join(own, 'c'));
  symlinkSync(outside, join(own, 'link'));
  execFileSync('mkfifo', [join(own, 'fifo')]);
  writeFileSync(join(own, 'z'), 'left');
  writeFileSync(join(dir, OTHER, 'z'), 'left');
  start(DEMO, OTHER);
  await vi.waitFor(() => expect([readdirSync(own).sort(), readdirSync(join(dir, OTHER)), told.length]).toEqual([['a', 'c'], [], 1]));
  expect(told).toEqual(['demo: 2 of 5 names cannot be removed: EISDIR']);
  expect(readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
});

test('a folder that is none, or is not there, is told or is nothing', async () => {
  rmSync(own, { recursive: true });
  rmSync(join(dir, OTHER), { recursive: true });
  writeFileSync(own, '');
  start(DEMO, OTHER);
  await vi.waitFor(() => expect(told).toEqual(['demo: cannot be looked through: ENOTDIR']));
});

test('a folder without end is not looked through to its end', async () => {
  for (let n = 0; n < 1050; n += 1) writeFileSync(join(own, String(n)), '');
  start(DEMO);
  await vi.waitFor(() => expect(told).toEqual(['demo: it holds more than 1000 names']));
  expect(readdirSync(own)).toHaveLength(50);
});

test('what an agent put in the place of an archive is no file to read from', async () => {
  const transfers = start(DEMO);
  const begun = transfers.begin(DEMO, 'ops');
  if (!begun.ok) throw new Error(begun.error);
  execFileSync('mkfifo', [join(own, begun.value)]);
  expect(await transfers.size(begun.value, 'ops')).toEqual({ ok: false, error: 'what the sandbox made is no file' });
  expect(await transfers.read(begun.value, 'ops', 0, 10)).toMatchObject({ ok: false });
});
