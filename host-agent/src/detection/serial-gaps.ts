// SPDX-License-Identifier: Apache-2.0

// The kernel numbers its events one by one, of whatever kind (kernel/audit.c: audit_serial), and each reader of the stream gets each of
// them. So a number that never comes is an event that was dropped on its way. Which process it was of is not known any more.

type Gap = { from: number; to: number; readonly since: number };

export type SerialGaps = {
  /** One of its records came. */
  readonly seen: (serial: number, now: number) => void;
  /** How many are given up now: they were passed over by later ones longer ago than order among processors explains. */
  readonly lost: (now: number) => number;
  /** All up to this one came or were given up; null before the first. */
  readonly settled: () => number | null;
};

/** The most gaps that are waited for. Beyond that the oldest is given up early. */
const MOST_GAPS = 1024;

/** `before` is the last number that is known to be dealt with, null when nothing is: then the first that comes begins. */
export function openSerialGaps(before: number | null, patienceMs: number): SerialGaps {
  let highest = before;
  let gaps: Gap[] = [];
  let early = 0;

  function fill(serial: number): void {
    const at = gaps.findIndex(({ from, to }) => from <= serial && serial <= to);
    const gap = gaps[at];
    if (gap === undefined) return;
    const rest = [{ ...gap, to: serial - 1 }, { ...gap, from: serial + 1 }].filter(({ from, to }) => from <= to);
    gaps.splice(at, 1, ...rest);
  }

  return {
    seen(serial, now) {
      if (highest === null) highest = serial;
      else if (serial <= highest) fill(serial);
      else {
        if (serial > highest + 1) gaps.push({ from: highest + 1, to: serial - 1, since: now });
        highest = serial;
        if (gaps.length > MOST_GAPS) early += size(gaps.shift()!);
      }
    },
    lost(now) {
      const given = gaps.filter(({ since }) => now - since >= patienceMs);
      gaps = gaps.filter(({ since }) => now - since < patienceMs);
      const count = given.reduce((sum, gap) => sum + size(gap), early);
      early = 0;
      return count;
    },
    settled: () => (gaps[0] === undefined ? highest : Math.min(...gaps.map(({ from }) => from)) - 1),
  };
}

function size({ from, to }: Gap): number {
  return to - from + 1;
}
