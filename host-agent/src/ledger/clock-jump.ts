// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from './entry.ts';

/** Wall clock and boot clock, read together. `bootMs` is null where only the wall clock of the past is known. */
export type ClockReading = { readonly wallMs: number; readonly bootMs: number | null };

/** Drift and small corrections stay below; whoever sets a clock to hide something goes beyond (E14). */
const LEAP_MS = 60_000;

/** What to record when the wall clock went backwards, or moved otherwise than the boot clock, which nobody can set. */
export function clockJump(last: ClockReading | null, now: ClockReading): JsonObject | null {
  if (last === null) return null;
  const wall = now.wallMs - last.wallMs;
  const boot = last.bootMs === null || now.bootMs === null ? null : now.bootMs - last.bootMs;
  if (wall >= 0 && (boot === null || Math.abs(wall - boot) <= LEAP_MS)) return null;
  return {
    from: new Date(last.wallMs).toISOString(),
    to: new Date(now.wallMs).toISOString(),
    wall_ms: wall,
    boot_ms: boot,
  };
}
