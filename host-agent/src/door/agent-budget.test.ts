// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { openAgentBudget } from './agent-budget.ts';

const MIB = 1024 * 1024;

/** Lines of `size` that are read within `ms` by `readers`, each of which sends its next one as soon as the last was read. */
function readWithin(ms: number, readers: number, size: number): number[] {
  const budget = openAgentBudget(0);
  const next = Array.from({ length: readers }, () => 0);
  const read = Array.from({ length: readers }, () => 0);
  for (;;) {
    const who = next.indexOf(Math.min(...next));
    const ready = next[who]! + budget.charge(next[who]!, size).waitMs;
    if (ready > ms) return read;
    next[who] = ready;
    read[who]! += 1;
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

test('a burst goes through at once, then fifty messages a second, and an agent that was quiet has its burst again', () => {
  const budget = openAgentBudget(0);
  for (let n = 0; n < 200; n += 1) expect(budget.charge(0, 100)).toEqual({ waitMs: 0, over: null });
  expect(budget.charge(0, 100)).toEqual({ waitMs: 20, over: 'too many messages' });
  expect(budget.charge(0, 100)).toEqual({ waitMs: 40, over: 'too many messages' });
  for (let n = 0; n < 200; n += 1) expect(budget.charge(60_000, 100).waitMs).toBe(0);
});

test('bytes are charged too: large lines wait long before there are many of them', () => {
  const budget = openAgentBudget(0);
  for (let n = 0; n < 8; n += 1) expect(budget.charge(0, MIB)).toEqual({ waitMs: 0, over: null });
  expect(budget.charge(0, MIB)).toEqual({ waitMs: 250, over: 'too many bytes' });
});

test('more connections gain nothing, and each of them gets its turn', () => {
  expect(sum(readWithin(10_000, 1, 100))).toBeLessThanOrEqual(701);
  const messages = readWithin(10_000, 8, 100);
  expect(sum(messages)).toBeLessThanOrEqual(708);
  expect(Math.min(...messages)).toBeGreaterThan(50);
  const bytes = readWithin(10_000, 8, MIB);
  expect(sum(bytes)).toBeLessThanOrEqual(56);
  expect(Math.min(...bytes)).toBeGreaterThan(3);
});

test('whoever runs up a debt and leaves does not lock out the agent', () => {
  const budget = openAgentBudget(0);
  for (let n = 0; n < 1000; n += 1) budget.charge(0, MIB);
  expect(budget.charge(0, 100).waitMs).toBeLessThanOrEqual(4000);
});
