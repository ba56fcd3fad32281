// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Capability } from '../capability/capability.ts';
import { containerArgv, groupLimits } from './container-argv.ts';
import { parsePermit } from './parse-permit.ts';
import type { SandboxPlan } from './permit.ts';
import { planContainer } from './plan-container.ts';

const limits = { timeoutMs: 1000, memoryMax: 2 ** 30, tasksMax: 10, outputMax: 1000 };
const command = { argv: ['sh', '-c', 'true'], cwd: '/tmp', env: {}, container: { name: 'build', image: 'tools' } };

function cap(text: string): Capability {
  const [namespace = '', action = '', resource = null] = /^([^:]+):([^:]+)(?::(.*))?$/s.exec(text)!.slice(1);
  return { namespace, action, resource };
}

function plan(held: readonly string[], deny: readonly string[] = [], cwd = '/tmp') {
  return planContainer({ command: { ...command, cwd }, held: held.map(cap), bounds: { allow: [cap('fs:write:/workspace/**')], deny: deny.map(cap) }, limits });
}

function seen(held: readonly string[], deny: readonly string[] = []): readonly string[] {
  const planned = plan(held, deny);
  return planned.ok ? planned.value.bindings.map((b) => `${b.access} ${b.path}`) : [planned.error];
}

describe('a container sees', () => {
  test('the workspace when all of it is held, and writes there only when all of it may be written', () => {
    expect(seen(['fs:read:/workspace', 'fs:read:/workspace/**', 'fs:write:/workspace/**'])).toEqual(['rw /workspace']);
    expect(seen(['fs:read:/workspace/**'])).toEqual(['ro /workspace']);
    expect(seen(['fs:read:/workspace/**', 'fs:write:/workspace/a'])).toEqual(['ro /workspace']);
    expect(seen(['fs:read:/**'])).toEqual(['ro /workspace']);
  });

  test('nothing of it else, and no other path of the machine', () => {
    expect(seen(['fs:read:/workspace', 'fs:read:/workspace/a/**', 'fs:delete:/workspace/**', 'fs:read:/etc/**', 'fs:write:/srv/**'])).toEqual([]);
  });

  test('nothing of it where the ceiling denies a part: a container cannot have parts hidden', () => {
    expect(seen(['fs:read:/workspace/**'], ['fs:read:/workspace/private/**'])).toEqual([]);
    expect(seen(['fs:read:/workspace/**'], ['fs:read:/srv/**'])).toEqual(['ro /workspace']);
    expect(plan([], [], '/workspace')).toMatchObject({ ok: false, error: expect.stringContaining('not held') as string });
  });
});

const planned: SandboxPlan = {
  kind: 'container', container: { name: 'build', image: 'tools' }, root: 'tools', argv: ['sh', '-c', 'echo "$1"', '--privileged', '--rootfs', '/'],
  cwd: '/workspace', env: { HOME: '/workspace', LANG: '--privileged' }, bindings: [{ path: '/workspace', access: 'rw', is: 'directory' }], hidden: [], limits,
};
const place = {
  programs: '/usr/lib/holdfast', tree: '/usr/lib/holdfast/toolroot', label: 'holdfast-call-task//&holdfast-runner-task (enforce)', uid: 30_100,
  state: '/run/holdfast-runner/demo/containers/c-1',
};

// The golden file is the reviewed command line, one argument a line. HOLDFAST_GOLDEN=write rewrites it.
test('the command line of a container', () => {
  const golden = join(import.meta.dirname, 'testdata/argv-container.txt');
  const text = `${containerArgv(planned, 123_456, place).join('\n')}\n`;
  if (process.env['HOLDFAST_GOLDEN'] === 'write') writeFileSync(golden, text);
  expect(text).toBe(readFileSync(golden, 'utf8'));
});

test('what the agent chose stands behind the image, where Podman reads no option, but for variables, which stand in one word with their name', () => {
  const argv = containerArgv(planned, 1, place);
  const image = argv.indexOf('/usr/lib/holdfast/toolroot');
  expect(argv[image - 1]).toBe('--rootfs');
  expect(argv.slice(image + 1)).toEqual(planned.argv);
  expect(argv.slice(0, image).filter((word) => word.includes('--privileged'))).toEqual(['LANG=--privileged']);
});

test('an image that was brought in has our first program mounted into it', () => {
  const image = `sha256-${'0'.repeat(64)}`;
  const argv = containerArgv({ ...planned, container: { name: 'build', image } }, 1, { ...place, tree: `/run/holdfast-images/${image}` });
  expect(argv[argv.indexOf('/usr/lib/holdfast/call-init:/usr/lib/holdfast/call-init:ro,nosuid,nodev') - 1]).toBe('--volume');
  expect(argv[argv.indexOf('--rootfs') + 1]).toBe(`/run/holdfast-images/${image}`);
});

test('Podman has room of its own beside the container', () => {
  expect(groupLimits(limits).memoryMax).toBeGreaterThan(limits.memoryMax);
  expect(groupLimits(limits).tasksMax).toBeGreaterThan(limits.tasksMax);
});

describe('a permit of a container', () => {
  const permit = { v: 1, call: 'c-1', agent: 'demo', tool: 'container.run', plan: JSON.parse(JSON.stringify(planned)), stdin: null, notAfter: 5 };

  test('may name an image by its digest', () => {
    const container = { name: 'n'.repeat(31), image: `sha256-${'f'.repeat(64)}` };
    expect(parsePermit({ ...permit, plan: { ...permit.plan, container } })).toMatchObject({ ok: true, value: { plan: { container } } });
  });

  test.each([
    ['without image and name', { container: undefined }],
    ['with a name that is a path', { container: { name: '../x', image: 'tools' } }],
    ['with an image by a name that could come to mean another', { container: { name: 'a', image: 'latest' } }],
    ['with an image that is an option', { container: { name: 'a', image: '--privileged' } }],
    ['with a further field', { container: { name: 'a', image: 'tools', privileged: true } }],
    ['with another path', { bindings: [{ path: '/srv', access: 'ro' }] }],
    ['with something hidden', { hidden: ['/workspace/a'] }],
    ['that is none', { kind: 'process' }],
  ])('%s is refused', (_, change) => {
    expect(parsePermit(permit).ok).toBe(true);
    expect(parsePermit(JSON.parse(JSON.stringify({ ...permit, plan: { ...permit.plan, ...change } }))).ok).toBe(false);
  });
});
