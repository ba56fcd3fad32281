// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { clockJump, type ClockReading } from './clock-jump.ts';

const last: ClockReading = { wallMs: Date.UTC(2030, 0, 1), bootMs: 1_000_000 };
const after = (wall: number, boot: number): ClockReading => ({ wallMs: last.wallMs + wall, bootMs: last.bootMs! + boot });

test.each<[string, ClockReading | null, ClockReading, boolean]>([
  ['the first reading', null, last, false],
  ['both clocks go on together', last, after(5_000, 5_000), false],
  ['both go on for a week', last, after(604_800_000, 604_800_000), false],
  ['a correction of a minute', last, after(65_000, 5_000), false],
  ['the wall clock leaps ahead', last, after(65_001, 5_000), true],
  ['the wall clock stands still for longer than a minute', last, after(0, 60_001), true],
  ['the wall clock goes back by a millisecond', last, after(-1, 5), true],
  ['after a start: later than the newest entry', { ...last, bootMs: null }, after(86_400_000, 10), false],
  ['after a start: earlier than the newest entry (E14)', { ...last, bootMs: null }, after(-86_400_000, 10), true],
])('%s', (_what, before, now, jumped) => {
  expect(clockJump(before, now) !== null).toBe(jumped);
});

test('what is recorded says from where to where', () => {
  expect(clockJump(last, after(-3_600_000, 10))).toEqual({
    from: '2030-01-01T00:00:00.000Z',
    to: '2029-12-31T23:00:00.000Z',
    wall_ms: -3_600_000,
    boot_ms: 10,
  });
});
