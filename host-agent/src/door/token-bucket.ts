// SPDX-License-Identifier: Apache-2.0

/** `burst` at once, then `perSecond`. Time comes in as milliseconds of a clock that nobody can set back. */
export type TokenBucket = {
  take(now: number): boolean;
  /**
   * For who waits instead of being refused: takes `amount` in any case, and says for how many milliseconds to wait first. Whoever comes
   * later waits for that debt too, so several that share a bucket get their turns. The debt ends at one burst: no waiter waits for ever.
   */
  charge(now: number, amount: number): number;
};

export function openTokenBucket(rate: { readonly perSecond: number; readonly burst: number }, start: number): TokenBucket {
  let tokens = rate.burst;
  let last = start;
  function refill(now: number): void {
    tokens = Math.min(rate.burst, tokens + (Math.max(0, now - last) * rate.perSecond) / 1000);
    last = Math.max(last, now);
  }
  return {
    take(now) {
      refill(now);
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    charge(now, amount) {
      refill(now);
      tokens = Math.max(-rate.burst, tokens - amount);
      return tokens >= 0 ? 0 : Math.ceil((-tokens * 1000) / rate.perSecond);
    },
  };
}
