// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openSerialGaps } from './serial-gaps.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 300);

describe('numbers that never came', () => {
  test('are lost when others passed them long enough ago, and once', () => {
    const gaps = openSerialGaps(null, 100);
    for (const serial of [5, 6, 9]) gaps.seen(serial, 0);
    expect([gaps.lost(99), gaps.settled()]).toEqual([0, 6]);
    expect([gaps.lost(100), gaps.lost(200), gaps.settled()]).toEqual([2, 0, 9]);
  });

  test('are not, when they only came late', () => {
    const gaps = openSerialGaps(null, 100);
    for (const serial of [1, 5, 3, 2, 4]) gaps.seen(serial, 0);
    expect([gaps.lost(1000), gaps.settled()]).toEqual([0, 5]);
  });

  test('are those since the last that is known', () => {
    const gaps = openSerialGaps(10, 100);
    gaps.seen(14, 0);
    expect([gaps.settled(), gaps.lost(100), gaps.settled()]).toEqual([10, 3, 14]);
  });

  test('add up, whatever is dropped and in whatever order the rest comes', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 200 }), fc.integer(), (kept, seed) => {
        // The last one comes, else nobody could know.
        const came = kept.flatMap((keep, i) => (keep || i === kept.length - 1 ? [i + 1] : []));
        const order = came.map((serial) => ({ serial, at: serial + ((seed * serial) % 7) })).sort((a, b) => a.at - b.at);
        const gaps = openSerialGaps(0, 10);
        for (const { serial } of order) gaps.seen(serial, 0);
        expect(gaps.lost(10) + came.length).toBe(kept.length);
        expect(gaps.settled()).toBe(kept.length);
      }),
      { numRuns: COUNT },
    );
  });

  test('in more gaps than are kept are given up early, and still counted', () => {
    const gaps = openSerialGaps(null, 100);
    for (let serial = 0; serial <= 4000; serial += 2) gaps.seen(serial, 0);
    expect(gaps.lost(0) + gaps.lost(100)).toBe(2000);
  });
});
