// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { addon } from './addon.ts';

/** Milliseconds of CLOCK_BOOTTIME, rounded down: counts through suspend, cannot be set, starts anew with each boot (R3, A14). */
export function bootMillis(): number {
  return addon().bootMillis();
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
