// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { planOwnCall, planOwnProgram } from './own-plan.ts';
import { parsePermit } from './parse-permit.ts';
import type { SandboxPlan } from './permit.ts';

const PLAN = planOwnCall({ op: 'points', root: '/restore', path: '.', options: [], bindings: [{ path: '/restore', access: 'ro' }] });
const permit = (tool: string, plan: SandboxPlan) => parsePermit({ v: 1, call: 'c-1', agent: 'demo', tool, plan, stdin: null, notAfter: 1 } as never);

test('a runner shows restore points to calls of Holdfast\'s own names, with the file tool, and to no other', () => {
  expect(permit('restore.list', PLAN).ok).toBe(true);
  for (const tool of ['fs.read', 'process.run', 'restore', 'restore.list.x', 'restored.list']) expect(permit(tool, PLAN).ok, tool).toBe(false);
  expect(permit('restore.list', { ...PLAN, kind: 'process' }).ok).toBe(false);
  expect(permit('restore.list', { ...PLAN, bindings: [{ path: '/restore/points', access: 'ro' }] }).ok).toBe(false);
  expect(permit('restore.list', { ...PLAN, bindings: [{ path: '/var/lib/holdfast-restore/other', access: 'ro' }] }).ok).toBe(false);
});

const LIMITS = { timeoutMs: 60_000, memoryMax: 2 ** 29, tasksMax: 64, outputMax: 65_536 };
const cap = (action: string, resource: string) => ({ namespace: 'fs', action, resource });
const program = (directory: string, deny: readonly ReturnType<typeof cap>[] = []) =>
  planOwnProgram({ argv: ['sh', '-c', 'x'], directory, env: { HOME: '/tmp', GIT_X: '1' } }, { ceiling: { allow: [cap('write', '/workspace/**')], deny }, root: 'tools', limits: LIMITS });

test('a program of Holdfast\'s own has the sandbox and limits of a call of that agent, sees the one directory, and its environment is ours', () => {
  expect(program('/workspace/app', [cap('read', '/usr/lib/holdfast/**')])).toEqual({
    ok: true,
    value: {
      kind: 'process', root: 'tools', argv: ['sh', '-c', 'x'], cwd: '/workspace/app', hidden: ['/usr/lib/holdfast'], limits: LIMITS,
      env: { HOME: '/tmp', LANG: 'C.UTF-8', PATH: '/usr/bin:/usr/sbin', TERM: 'dumb', TMPDIR: '/tmp', GIT_X: '1' },
      bindings: [{ path: '/workspace/app', access: 'rw', is: 'directory' }],
    },
  });
  expect(program('/workspace')).toMatchObject({ ok: true, value: { env: { HOME: '/tmp' }, bindings: [{ path: '/workspace', access: 'rw' }] } });
});

test.each([
  ['a star in its name', '/workspace/a*', [], '/workspace/a* cannot be shown'],
  ['a part that is denied', '/workspace/app', [cap('read', '/workspace/app/secret')], 'the type\'s ceiling denies'],
  ['a reserved name', '/transfer', [], '/transfer cannot be shown'],
])('%s refuses it', (_, directory, deny, why) => {
  expect(program(directory, deny)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
});

test('a runner shows such a program what lies in the workspace, and no place of Holdfast\'s or of the machine\'s', () => {
  const plan = program('/workspace/app');
  if (!plan.ok) throw new Error(plan.error);
  expect(permit('project.clone', plan.value).ok).toBe(true);
  for (const path of ['/transfer', '/restore', '/images', '/etc/hostname', '/srv', '/workspacex']) {
    for (const access of ['ro', 'rw'] as const) expect(permit('project.clone', { ...plan.value, bindings: [...plan.value.bindings, { path, access }] }).ok, path).toBe(false);
  }
  // An agent's own call may be granted more.
  expect(permit('process.run', { ...plan.value, bindings: [{ path: '/srv', access: 'ro' }] }).ok).toBe(true);
});
