// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `10s`, `5m`, `2h`: a whole number and one unit. Milliseconds. */
export function parseDuration(text: string): Result<number> {
  const match = /^([1-9][0-9]{0,5})([smh])$/.exec(text);
  if (match === null) return refuse(`cannot read the duration "${text}": write a whole number and s, m or h, for example 10s, 5m or 2h`);
  return accept(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]);
}

/** Short and never longer than the truth: 90 000 ms is `1m 30s`, 1 999 ms is `1s`. */
export function showDuration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.floor(ms))}ms`;
  const seconds = Math.floor(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 3_600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}
