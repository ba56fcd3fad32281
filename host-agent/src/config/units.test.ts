// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAgentName, parsePackName } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';
import type { DeclaredAgent } from './declared.ts';
import { agentOfFolder, isDropInFolder, unitsOf } from './units.ts';

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

const AGENT: DeclaredAgent = {
  name: must(parseAgentName('night_watch')),
  pack: must(parsePackName('ops')),
  type: 'task',
  mode: 'mediated',
  uid: 30107,
  program: ['/usr/lib/holdfast/demo/agent', '--greet', 'it\'s "100%" for $USER; \\o/'],
  start: 'manual',
  capabilities: [],
  ceiling: { allow: [], deny: [] },
  limits: { timeoutMs: 1, memoryMax: 1, tasksMax: 1, outputMax: 1 },
  workspace: '/var/lib/holdfast-workspaces/night_watch',
  peers: { agent: '', remote: '' },
  callLabel: '',
};
const FACTS = {
  agent: AGENT,
  slice: { memoryMax: 2 * 1024 ** 3, tasksMax: 100, cpuPercent: 200 },
  profiles: { agent: 'holdfast-agent-task', runner: 'holdfast-runner-task', call: 'holdfast-call-task' },
  door: '/run/holdfast/agents/night_watch',
};

test('the drop-ins of an agent with a program are those of the golden file', () => {
  const text = unitsOf(FACTS).map((unit) => `==> ${unit.path}\n${unit.text}`).join('\n');
  expect(text).toBe(readFileSync(new URL('testdata/units.golden', import.meta.url), 'utf8'));
});

test('an agent without a program has no drop-in that would start one', () => {
  const paths = unitsOf({ ...FACTS, agent: { ...AGENT, program: null } }).map(({ path }) => path.split('/')[0]);
  expect(paths).toEqual(['agents-ops.slice.d', 'agents-ops-night_watch.slice.d', 'holdfast-runner@night_watch.service.d']);
});

test('a mediated agent has its workspace read-only, its runner writes there, and neither sees another door (R103)', () => {
  const unit = (name: string): string => unitsOf(FACTS).find(({ path }) => path.startsWith(name))?.text ?? '';
  expect(unit('holdfast-agent@')).toContain('BindReadOnlyPaths=/var/lib/holdfast-workspaces/night_watch:/workspace\n');
  expect(unit('holdfast-agent@')).not.toMatch(/^BindPaths=/m);
  expect(unit('holdfast-runner@')).toContain('BindPaths=/var/lib/holdfast-workspaces/night_watch:/workspace\n');
  expect(unit('holdfast-runner@')).not.toContain('/run/holdfast/agents');
});

test('only folders of agents and slices are ours to remove', () => {
  const ours = ['holdfast-agent@demo.service.d', 'holdfast-runner@a_1.service.d', 'agents-main.slice.d', 'agents-main-demo.slice.d'];
  const others = ['ssh.service.d', 'holdfastd.service.d', 'agents.slice.d', 'holdfast-agent@.service.d', 'holdfast-agent@a-b.service.d',
    'agents-a-b-c.slice.d', 'x'];
  expect(ours.filter((name) => !isDropInFolder(name))).toEqual([]);
  expect(others.filter(isDropInFolder)).toEqual([]);
  expect(agentOfFolder('holdfast-runner@demo.service.d')).toBe('demo');
  expect(agentOfFolder('agents-main-demo.slice.d')).toBe(null);
});
