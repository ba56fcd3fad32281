// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { launchWords, type Place } from './launch-words.ts';
import type { SandboxPlan } from './permit.ts';

const place: Place = {
  programs: '/usr/lib/holdfast',
  stage: '/run/holdfast-runner/worker/stage',
  label: 'holdfast-runner-task//&holdfast-call-task (enforce)',
  hostOf: (path) => path,
};
const limits = { timeoutMs: 1000, memoryMax: 2 ** 30, tasksMax: 10, outputMax: 1000 };
const process: SandboxPlan = {
  kind: 'process',
  argv: ['sh', '-c', 'echo -- "$1"', '--bind', '--image', '--'],
  cwd: '/workspace',
  env: { HOME: '/workspace', LANG: 'C.UTF-8' },
  bindings: [{ path: '/srv', access: 'ro', is: 'directory' }, { path: '/workspace', access: 'rw', is: 'directory' }],
  hidden: [],
  root: 'image',
  limits,
};
const file: SandboxPlan = {
  kind: 'file',
  argv: ['file-tool', '/workspace', 'read', 'a/b'],
  cwd: '/',
  env: {},
  bindings: [{ path: '/workspace', access: 'ro' }],
  hidden: [],
  root: 'image',
  limits,
};

// The golden files are the reviewed words, one a line, an empty line between what is prepared and what a call adds. HOLDFAST_GOLDEN=write rewrites them.
test.each([
  ['process', process, false, place],
  ['file', file, true, place],
  ['terminal', { ...process, terminal: { columns: 100, rows: 30 } }, false, place],
  ['process-hidden', { ...process, hidden: ['/etc/hosts', '/srv/private', '/usr/lib/holdfast'] }, false, place],
  ['process-tools', { ...process, root: 'tools', hidden: ['/usr/lib/holdfast'] }, false, place],
  ['file-elsewhere', file, false, { ...place, programs: '/opt/holdfast', hostOf: (path: string) => `/root-of-test${path}` }],
] as const)('the launch of a %s call', (name, plan, hasInput, at) => {
  const golden = join(import.meta.dirname, 'testdata', `launch-${name}.txt`);
  const { prepare, call } = launchWords(plan, 123_456, hasInput, at);
  const text = `${[...prepare, '', ...call].join('\n')}\n`;
  if (globalThis.process.env['HOLDFAST_GOLDEN'] === 'write') writeFileSync(golden, text);
  expect(text).toBe(readFileSync(golden, 'utf8'));
});

test('what the agent chose stands where call-launch stops reading, or is a value', () => {
  const words = ['--', '--bind', 'rw', '/etc', '/etc', '--hide', '--image'];
  const hostile: SandboxPlan = { ...process, argv: words, env: { LANG: '--image', TZ: '--' }, cwd: '--' };
  const { prepare, call } = launchWords(hostile, 1, true, place);
  expect(prepare).toEqual(launchWords(process, 1, true, place).prepare);
  expect(call.slice(call.length - words.length)).toEqual(words);
  expect(call.slice(0, call.indexOf('/usr/lib/holdfast/call-init'))).toEqual([
    '--bind', 'ro-directory', '/srv', '/srv', '--bind', 'rw-directory', '/workspace', '/workspace', '--env', 'LANG', '--image', '--env', 'TZ', '--', '--',
  ]);
});
