// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bwrapArgv, type Place } from './bwrap-argv.ts';
import type { SandboxPlan } from './permit.ts';

const place: Place = {
  programs: '/usr/lib/holdfast',
  bwrap: '/usr/bin/bwrap',
  cgroup: '/sys/fs/cgroup/runner/call-1',
  label: 'holdfast-runner-task//&holdfast-call-task (enforce)',
  hostOf: (path) => path,
};
const limits = { timeoutMs: 1000, memoryMax: 2 ** 30, tasksMax: 10, outputMax: 1000 };
const process: SandboxPlan = {
  kind: 'process',
  argv: ['sh', '-c', 'echo @bindings -- "$1"', '--bind', '@bindings'],
  cwd: '/workspace',
  env: { HOME: '/workspace', LANG: 'C.UTF-8' },
  bindings: [{ path: '/srv', access: 'ro', is: 'directory' }, { path: '/workspace', access: 'rw', is: 'directory' }],
  hidden: [],
  limits,
};
const file: SandboxPlan = {
  kind: 'file',
  argv: ['file-tool', '/workspace', 'read', 'a/b'],
  cwd: '/',
  env: {},
  bindings: [{ path: '/workspace', access: 'ro' }],
  hidden: [],
  limits,
};

// The golden files are the reviewed command lines, one argument a line. HOLDFAST_GOLDEN=write rewrites them.
test.each([
  ['process', process, place],
  ['file', file, place],
  ['process-hidden', { ...process, hidden: ['/etc/hosts', '/srv/private', '/usr/lib/holdfast'] }, place],
  ['file-elsewhere', file, { ...place, programs: '/opt/holdfast', hostOf: (path: string) => `/root-of-test${path}` }],
] as const)('the command line of a %s call', (name, plan, at) => {
  const golden = join(import.meta.dirname, 'testdata', `argv-${name}.txt`);
  const text = `${bwrapArgv(plan, 123_456, at).join('\n')}\n`;
  if (globalThis.process.env['HOLDFAST_GOLDEN'] === 'write') writeFileSync(golden, text);
  expect(text).toBe(readFileSync(golden, 'utf8'));
});

test('nothing the agent chose stands before the place where bindings are put', () => {
  const hostile: SandboxPlan = { ...process, argv: ['@bindings', '@sealed', '--', '--bind', '--hide'], env: { LANG: '@bindings' }, cwd: '/@bindings' };
  const argv = bwrapArgv(hostile, 1, place);
  expect(argv.indexOf('@sealed')).toBeGreaterThan(argv.indexOf('@bindings'));
  expect(argv.slice(0, argv.indexOf('@sealed'))).not.toContain('LANG');
  const first = argv.indexOf('@bindings');
  expect(argv.slice(first + 1)).toContain('LANG');
  expect(argv.slice(0, first).filter((a) => a.includes('@bindings'))).toEqual([]);
});
