// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { formatCapability } from '../capability/capability.ts';
import type { JsonObject } from '../ledger/entry.ts';
import { boundedArguments, takeArguments } from './arguments.ts';
import { expandNeeds } from './needs.ts';
import type { RunnerPort } from './ports.ts';
import { recordedIntent } from './recorded-permit.ts';

describe('capability templates (R2)', () => {
  test.each([
    ['fs:write:{path}', { path: '/a/../b' }, 'fs:write:/b'],
    ['fs:read:/workspace', {}, 'fs:read:/workspace'],
    ['process:run:{program}', { program: 'git' }, 'process:run:git'],
    ['net:connect:{host}:{port}', { host: 'a.example', port: '443' }, 'net:connect:a.example:443'],
    ['process:list', {}, 'process:list'],
    ['fs:delete:{path}/**', { path: '/a/' }, 'fs:delete:/a/**'],
    ['fs:delete:{path}/**', { path: '/' }, 'fs:delete:/**'],
    // A glob in a request is a name.
    ['fs:read:{path}', { path: '/a/*' }, 'fs:read:/a/*'],
  ])('%s over %j is %s', (template, args, expected) => {
    const expanded = expandNeeds([template], args);
    expect(expanded.ok && expanded.value.needs.map(formatCapability)).toEqual([expected]);
  });

  test('the normal path replaces the argument, also for what else uses it', () => {
    const expanded = expandNeeds(['fs:read:{from}', 'fs:write:{to}'], { from: '/a//b', to: '/c/.', keep: 1 });
    expect(expanded.ok && { ...expanded.value.arguments }).toEqual({ from: '/a/b', to: '/c', keep: 1 });
    expect(expanded.ok && Object.isFrozen(expanded.value.arguments)).toBe(true);
  });

  test.each([
    ['fs:read:{path}', { path: 'a' }],
    ['fs:read:{path}', { path: '/a\u0000' }],
    ['process:run:{program}', { program: '' }],
    ['process:run:{program}', { program: 'a\nb' }],
    // The argument may not choose where host ends and port begins.
    ['net:connect:{host}:{port}', { host: 'a.example:443', port: '1' }],
    ['net:connect:{host}:{port}', { host: 'a.example', port: '443/x' }],
  ])('%s over %j is refused', (template, args) => {
    expect(expandNeeds([template], args as JsonObject).ok).toBe(false);
  });

  test.each([
    ['fs:read:{nosuch}', {}],
    ['fs:read:{toString}', {}],
    ['process:run:{program}', { program: 7 }],
    ['fs:read:{path}/x', { path: '/a' }],
    ['fs:read:{path}/*', { path: '/a' }],
    ['fs:read:{pa th}', { 'pa th': '/a' }],
    ['process:run:x{y', {}],
    ['nonsense', {}],
  ])('%s over %j is a fault of the tool', (template, args) => {
    expect(() => expandNeeds([template], args as JsonObject)).toThrow('capability template');
  });

  test('a value that looks like a placeholder is not filled again', () => {
    const expanded = expandNeeds(['net:connect:{host}:{port}'], { host: '{port}', port: '443' });
    expect(expanded.ok && expanded.value.needs.map(formatCapability)).toEqual(['net:connect:{port}:443']);
  });
});

describe('arguments', () => {
  test('are copied deep, frozen, and without a prototype (A22, A24)', () => {
    const given = { list: [{ a: 1 }] };
    const taken = takeArguments(given);
    given.list[0]!.a = 2;
    expect(taken.ok && JSON.stringify(taken.value)).toBe('{"list":[{"a":1}]}');
    const list = (taken.ok ? taken.value.list : null) as unknown as { a: number }[];
    expect(() => { list[0]!.a = 3; }).toThrow(TypeError);
    expect(Object.getPrototypeOf(list[0])).toBeNull();
  });

  test('a string of exactly 1 KiB is recorded, a longer one is cut, and characters are not bytes', () => {
    expect(boundedArguments({ s: 'x'.repeat(1024) })).toEqual({ s: 'x'.repeat(1024) });
    expect(boundedArguments({ s: 'é'.repeat(513) })).toMatchObject({ s: { size: 1026, head: 'é'.repeat(64) } });
    expect(boundedArguments({ s: `${'x'.repeat(63)}${'😀'.repeat(400)}` })).toMatchObject({ s: { head: 'x'.repeat(63) } });
  });

  test('many small strings are cut as a whole', () => {
    const many = { list: Array.from({ length: 2000 }, () => 'x'.repeat(20)) };
    expect(Object.keys(boundedArguments(many))).toEqual(['digest', 'size', 'head']);
  });
});

test('a call cannot be run before it is recorded: that does not compile (E06)', () => {
  const never = (runner: RunnerPort) => {
    const permit = {} as Parameters<RunnerPort['run']>[0]['permit'];
    const intent = recordedIntent('c' as never, 'a' as never, { seq: 1, hash: '', receipt: null });
    // @ts-expect-error a permit alone
    void runner.run(permit, null);
    // @ts-expect-error a recorded intent without receipt
    void runner.run(intent, null);
    // @ts-expect-error the right fields, made by hand
    void runner.run({ call: intent.call, agent: intent.agent, seq: 1, permit, receipt: {} as never }, null);
  };
  expect(never).toBeTypeOf('function');
});
