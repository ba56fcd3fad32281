// SPDX-License-Identifier: Apache-2.0

/**
 * How soon the next passphrase may be tried, by everybody together: an operator's account that somebody took over must not become a
 * place to guess at. The first wrong ones cost nothing, each further doubles the wait. Times are of the boot clock.
 */
export type Attempts = {
  /** How long to wait before another may be tried; 0: now. */
  readonly waitMs: () => number;
  readonly wrong: () => void;
  readonly right: () => void;
};

const FREE = 3;
const FIRST_MS = 1_000;
const MOST_MS = 5 * 60_000;

export function openAttempts(now: () => number): Attempts {
  let wrong = 0;
  let from = 0;
  return {
    waitMs: () => Math.max(0, from - now()),
    wrong: () => {
      wrong += 1;
      if (wrong >= FREE) from = now() + Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(wrong - FREE, 20));
    },
    right: () => {
      wrong = 0;
      from = 0;
    },
  };
}
