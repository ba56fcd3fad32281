// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DeclaredAgent } from '../config/declared.ts';
import { bootStarts, type BootStarts } from '../effects/boot-starts.ts';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse } from '../identity/result.ts';
import { openAgentRuns } from './agent-runs.ts';
import { startAtBoot, type StartAtBootPorts } from './start-at-boot.ts';

// What holdfastd does each time it starts, with its real file; systemd is a set of units that run.

const A = 'a' as AgentName;
const B = 'b' as AgentName;
const C = 'c' as AgentName;
const agent = (name: AgentName, more: object = {}): DeclaredAgent => ({ name, program: ['/usr/bin/x'], start: 'boot', ...more }) as unknown as DeclaredAgent;
let dir = '';
let running: Set<string>;
let asked: string[] = [];
let told: string[] = [];
let faults: string[] = [];
let refused: string | null = null;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'boot-starts-'));
  running = new Set();
  [asked, told, faults, refused, impatient] = [[], [], [], null, []];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const unconfined = new Set<AgentName>();
const full = new Set<AgentName>();
const broken = new Set<AgentName>();
const KEPT = 'kept' as AgentName;
/** Agents whose runner answers when the test says so, and how many starts are waited for. */
const silent = new Map<AgentName, () => void>();
let impatient: (() => void)[] = [];

type Holdfastd = { readonly starts: BootStarts; readonly begin: (agents: readonly DeclaredAgent[]) => Promise<void> };

/** A holdfastd of this boot, or another's. `dies`: killed while systemd starts its first unit. */
function holdfastd({ boot = 'b1', dies = false } = {}): Holdfastd {
  const starts = bootStarts(dir, boot, (fault) => faults.push(String(fault)));
  const ports: StartAtBootPorts = {
    starts,
    keepBeforeRun: async (name) => {
      if (silent.has(name)) await new Promise<void>((resolve) => silent.set(name, resolve));
      if (broken.has(name)) throw new Error('a fault');
      return full.has(name) ? refuse('the disk is full') : accept({ data: name === KEPT ? { restore: 'p-1' } : {}, letGo: () => undefined });
    },
    atOnce: 2,
    patience: () => new Promise<void>((resolve) => impatient.push(resolve)),
    confined: (name) => (unconfined.has(name) ? refuse('its profile complains') : accept(null)),
    runs: openAgentRuns([], { onEnded: () => undefined, onStarted: (name) => told.push(`${name} seen to run`), keep: () => undefined }),
    units: {
      unitState: async (unit) => accept({ active: running.has(unit) ? 'active' : 'inactive' }),
      startUnit: async (unit) => {
        asked.push(unit);
        if (refused !== null) return refuse(refused);
        running.add(unit);
        return dies ? new Promise(() => undefined) : accept(null);
      },
      stopUnit: async () => accept(null),
    },
    onStarted: (name, facts) => told.push(`${name} started${Object.values(facts).map((fact) => `, kept ${String(fact)}`).join('')}`),
    onRefused: (name, why) => told.push(`${name} refused: ${why}`),
  };
  return { starts, begin: (agents) => startAtBoot(agents, ports) };
}

const unit = (name: string): string => `holdfast-agent@${name}.service`;

test('starts what is to start at boot, and nothing else', async () => {
  await holdfastd().begin([agent(A), agent(B, { start: 'manual' }), agent(C, { program: null })]);
  expect([asked, told]).toEqual([[unit('a')], ['a started']]);
});

test('an agent that was stopped, or that came to its end, is not started by the next holdfastd of this boot', async () => {
  await holdfastd().begin([agent(A), agent(B)]);
  running.clear();
  await holdfastd().begin([agent(A), agent(B)]);
  expect(asked).toEqual([unit('a'), unit('b')]);
  // Another boot is another matter.
  await holdfastd({ boot: 'b2' }).begin([agent(A)]);
  expect(asked).toEqual([unit('a'), unit('b'), unit('a')]);
});

test('nor one that a person stopped before it was started at all', async () => {
  const first = holdfastd();
  first.starts.over(A);
  await first.begin([agent(A)]);
  await holdfastd().begin([agent(A), agent(B)]);
  expect(asked).toEqual([unit('b')]);
});

test('a person who stops it while systemd is asked how it is, is heard', async () => {
  const first = holdfastd();
  const begun = first.begin([agent(A)]);
  first.starts.over(A);
  await begun;
  expect(asked).toEqual([]);
});

test('a holdfastd that dies while it starts two leaves the others to the next, and those are on record', async () => {
  void holdfastd({ dies: true }).begin([agent(A), agent(B), agent(C)]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(asked).toEqual([unit('a'), unit('b')]);
  await holdfastd().begin([agent(A), agent(B), agent(C)]);
  expect([asked, told.toSorted()]).toEqual([[unit('a'), unit('b'), unit('c')], ['a seen to run', 'b seen to run', 'c started']]);
  running.clear();
  await holdfastd().begin([agent(A), agent(B), agent(C)]);
  expect(asked).toHaveLength(3);
});

test('agents whose runners do not answer hold up nobody else for long, and start when they do', async () => {
  for (const name of [A, B]) silent.set(name, () => undefined);
  const begun = holdfastd().begin([agent(A), agent(B), agent(C), agent(KEPT)]);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(told).toEqual([]);
  for (const lose of impatient) lose();
  await vi.waitFor(() => expect(told).toEqual(['c started', 'kept started, kept p-1']));
  for (const answer of silent.values()) answer();
  silent.clear();
  await begun;
  expect(told).toEqual(['c started', 'kept started, kept p-1', 'a started', 'b started']);
});

test('a fault in one start is told, and the others start', async () => {
  broken.add(A);
  await holdfastd().begin([agent(A), agent(B)]);
  broken.clear();
  expect(told).toEqual(['a refused: Error: a fault', 'b started']);
});

test('a start that was refused is tried again by the next holdfastd; one declared later starts with the next', async () => {
  refused = 'no bus';
  await holdfastd().begin([agent(A)]);
  refused = null;
  await holdfastd().begin([agent(A), agent(B)]);
  expect([asked, told]).toEqual([[unit('a'), unit('a'), unit('b')], ['a refused: no bus', 'a started', 'b started']]);
});

test('one whose profile does not hold stays stopped and is told; the others start', async () => {
  unconfined.add(A);
  await holdfastd().begin([agent(A), agent(B)]);
  unconfined.clear();
  expect([asked, told]).toEqual([[unit('b')], ['a refused: its profile complains', 'b started']]);
});

test('what was kept before is told with the start; what cannot be kept stays stopped, and the others start', async () => {
  full.add(A);
  await holdfastd().begin([agent(A), agent(KEPT)]);
  full.clear();
  expect([asked, told]).toEqual([[unit('kept')], ['a refused: the disk is full', 'kept started, kept p-1']]);
});

test.each(['', '{', '{"agents":["a"]}', '{"boot":"b1","agents":["../x"]}'])('a file that says %j starts nobody and is told', async (broken) => {
  await holdfastd().begin([agent(A)]);
  for (const name of readdirSync(dir)) writeFileSync(join(dir, name), broken);
  await holdfastd().begin([agent(B)]);
  expect(asked).toEqual([unit('a')]);
  expect(faults).toEqual([expect.stringContaining('no agent is started with this boot')]);
});

test('without its folder what is known now holds, and that is a fault to be told', async () => {
  rmSync(dir, { recursive: true });
  const first = holdfastd();
  await first.begin([agent(A)]);
  running.clear();
  await first.begin([agent(A)]);
  expect(asked).toEqual([unit('a')]);
  expect(faults).toHaveLength(1);
});
