// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseDuration, showDuration } from './duration.ts';

test.each([['10s', 10_000], ['5m', 300_000], ['2h', 7_200_000], ['1s', 1_000], ['999999h', 3_599_996_400_000]])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toEqual({ ok: true, value: ms });
});

test.each(['', '10', 's', '0s', '-5m', '1.5h', '05m', '5 m', '5M', '1e3s', '1000000s', '5m30s', '5m\n', '٥m'])('%j is refused', (text) => {
  expect(parseDuration(text)).toEqual({
    ok: false,
    error: `cannot read the duration "${text}": write a whole number and s, m or h, for example 10s, 5m or 2h`,
  });
});

test.each([[0, '0ms'], [999.9, '999ms'], [1_999, '1s'], [90_000, '1m 30s'], [3_600_000, '1h'], [3_661_000, '1h 1m 1s']])('%d ms is shown as %s', (ms, text) => {
  expect(showDuration(ms)).toBe(text);
});
