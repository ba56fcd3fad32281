// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { addon } from './addon.ts';

/** Milliseconds of CLOCK_BOOTTIME, rounded down: counts through suspend, cannot be set, starts anew with each boot (R3, A14). */
export function bootMillis(): number {
  return addon().bootMillis();
}

/** Timers of Node stand still while the machine sleeps, and long ones fire at once. */
const LOOK_MS = 60_000;

/** So late is only who stood still, or whose machine slept. What waits to be read since then comes first. */
const STOOD_STILL_MS = 1_000;
const READ_FIRST_MS = 5_000;

/** Does it once the boot clock says `at` or later; the answer lets it be. It holds no process open. */
export function atBootMillis(at: number, what: () => void, now: () => number = bootMillis): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stoodStill = false;
  const arm = (ms: number): void => {
    timer = setTimeout(look, Math.max(1, Math.min(ms, LOOK_MS))).unref();
  };
  const look = (): void => {
    const left = at - now();
    if (left > 0) return arm(left);
    if (stoodStill || left > -STOOD_STILL_MS) return what();
    stoodStill = true;
    arm(READ_FIRST_MS);
  };
  arm(at - now());
  return () => clearTimeout(timer);
}

/** RFC 3339, UTC, milliseconds. For people; nothing is ever decided by it. */
export function wallTime(): string {
  return new Date().toISOString();
}

let boot: string | null = null;

/** Names this boot: a time of the boot clock means nothing in another one. */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}
