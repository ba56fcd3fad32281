// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasEnded, tokenLease, usableUntil, type Bounds } from './lease.ts';

const free: Bounds = { cacheMs: 60_000, leaseMs: null, deletedInMs: null, tokenEndsAt: null };

describe('how long a value may be used', () => {
  test.each<[string, Bounds, number]>([
    ['the time it is kept', free, 61_000],
    ['not at all', { ...free, cacheMs: 0 }, 1_000],
    ['its lease, which is shorter', { ...free, leaseMs: 10_000 }, 11_000],
    ['not its lease, which is longer', { ...free, leaseMs: 3_600_000 }, 61_000],
    ['until its version is deleted', { ...free, deletedInMs: 5_000 }, 6_000],
    ['a version that is deleted already', { ...free, deletedInMs: -5_000 }, 1_000],
    ['until its token ends', { ...free, tokenEndsAt: 2_500 }, 2_500],
    ['a token that has ended', { ...free, tokenEndsAt: 500 }, 500],
  ])('%s', (_, bounds, until) => expect(usableUntil(1_000, bounds)).toBe(until));

  test('never longer than any one of its bounds', () => {
    const ms = fc.option(fc.integer({ min: -1_000, max: 10_000_000 }));
    fc.assert(fc.property(fc.nat(1e9), fc.nat(3_600_000), ms, ms, ms, (at, cacheMs, leaseMs, deletedInMs, tokenEndsAt) => {
      const until = usableUntil(at, { cacheMs, leaseMs, deletedInMs, tokenEndsAt });
      expect(until).toBeLessThanOrEqual(at + cacheMs);
      for (const bound of [leaseMs, deletedInMs]) if (bound !== null) expect(until).toBeLessThanOrEqual(at + Math.max(0, bound));
      if (tokenEndsAt !== null) expect(until).toBeLessThanOrEqual(tokenEndsAt);
    }));
  });
});

describe('how long a token lasts', () => {
  test.each([
    ['it never ends', tokenLease(1_000, null, true), { endsAt: null, renewAt: null }],
    ['it ends and is renewed before', tokenLease(1_000, 3_000, true), { endsAt: 4_000, renewAt: 3_000 }],
    ['it ends and is not renewed', tokenLease(1_000, 3_000, false), { endsAt: 4_000, renewAt: null }],
  ])('%s', (_, lease, expected) => expect(lease).toEqual(expected));

  test('it has ended at its end, and not before', () => {
    const lease = tokenLease(1_000, 3_000, true);
    expect([hasEnded(lease, 3_999), hasEnded(lease, 4_000), hasEnded(tokenLease(0, null, false), Number.MAX_SAFE_INTEGER)]).toEqual([false, true, false]);
  });
});
