// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseReachable } from './testdata/reachable.ts';
import { readFilter, readSource } from './write-filters.ts';

const listed = parseReachable(readSource('reachable.txt'));
const allowed = (name: string): readonly string[] => [...readFilter(name).decisions].filter(([, { kind }]) => kind !== 'refuse').map(([call]) => call).sort();

test.each(['call', 'file-tool'] as const)('the reviewed list of %s is what the source allows', (name) => {
  expect(listed[name]).toEqual(allowed(name));
});

test.each(['agent', 'runner'] as const)('the reviewed list of %s is within what the source allows: the unit refuses some more', (name) => {
  expect(listed[name].filter((call) => !allowed(name).includes(call))).toEqual([]);
  expect(listed[name].length).toBeGreaterThan(200);
});

test('what a call may its runner may: their filters are on top of one another', () => {
  const runner = new Set(allowed('runner'));
  expect([...allowed('call'), ...allowed('file-tool')].filter((call) => !runner.has(call))).toEqual([]);
});
