// SPDX-License-Identifier: Apache-2.0

/**
 * An account's own clock, in milliseconds, which only goes forward. Within a boot it goes with the boot clock, which nobody can set.
 * From one boot to the next it goes on by what the wall clock says has passed, and not at all where that says the past: a clock that
 * is set back keeps a budget spent for longer, and never frees it.
 */
export type ClockReading = { readonly boot: string; readonly bootMs: number; readonly wallMs: number };
export type AccountClock = ClockReading & { readonly ms: number };

export function startClock(now: ClockReading): AccountClock {
  return { ...now, ms: 0 };
}

export function advance(clock: AccountClock, now: ClockReading): AccountClock {
  const passed = clock.boot === now.boot ? now.bootMs - clock.bootMs : now.wallMs - clock.wallMs;
  return { ...now, ms: clock.ms + Math.max(0, passed) };
}
