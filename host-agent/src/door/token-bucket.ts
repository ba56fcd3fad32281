// SPDX-License-Identifier: Apache-2.0

/** `burst` at once, then `perSecond`. Time comes in as milliseconds of a clock that nobody can set back. */
export type TokenBucket = { take(now: number): boolean };

export function openTokenBucket(rate: { readonly perSecond: number; readonly burst: number }, start: number): TokenBucket {
  let tokens = rate.burst;
  let last = start;
  return {
    take(now) {
      tokens = Math.min(rate.burst, tokens + (Math.max(0, now - last) * rate.perSecond) / 1000);
      last = Math.max(last, now);
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
