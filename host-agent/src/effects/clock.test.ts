// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { atBootMillis } from './clock.ts';

let clock = 0;
let done = 0;
const at = (ms: number) => atBootMillis(ms, () => (done += 1), () => clock);
const pass = (ms: number): void => {
  for (let left = ms; left > 0; left -= 1000) {
    clock += Math.min(left, 1000);
    vi.advanceTimersByTime(Math.min(left, 1000));
  }
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  [clock, done] = [0, 0];
});
afterEach(() => vi.useRealTimers());

test('is done once when its time has come, and not before, however long that is', () => {
  at(40 * 24 * 3_600_000);
  pass(40 * 24 * 3_600_000 - 1);
  expect(done).toBe(0);
  pass(120_000);
  expect(done).toBe(1);
});

test('is done soon after a machine wakes up that slept past it', () => {
  at(3_600_000);
  pass(1000);
  clock += 3_600_000;
  pass(58_000);
  expect(done).toBe(0);
  pass(10_000);
  expect(done).toBe(1);
});

test('who stood still reads first what came meanwhile', () => {
  at(10_000);
  clock += 30_000;
  pass(10_000);
  expect(done).toBe(0);
  pass(6_000);
  expect(done).toBe(1);
});

test('is not done when it is let be', () => {
  const letBe = at(200_000);
  pass(150_000);
  letBe();
  pass(150_000);
  expect(done).toBe(0);
});

test('what is late already is done, though not at once', () => {
  at(-5);
  expect(done).toBe(0);
  pass(1);
  expect(done).toBe(1);
});
