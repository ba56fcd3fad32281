// SPDX-License-Identifier: Apache-2.0
import type { Call, Decision, Filter, Numbers } from '../filter.ts';

const HIGH = 0xdead_beef_0000_0000n;

/** Calls at which two filters with the same numbers could differ: each number, and at a condition each edge of each argument. */
export function* tries(filter: Filter, numbers: Numbers): Generator<Call> {
  const none = [0n, 0n, 0n, 0n, 0n, 0n];
  const names = new Map([...numbers].map(([name, nr]) => [nr, name]));
  const top = Math.max(...numbers.values());
  const around = [top + 1, top + 2, 1024, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x4000_0200, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
  for (const nr of [...Array(1024).keys(), ...around]) {
    yield { native: false, nr, args: none };
    yield { native: true, nr, args: none };
    const decision = filter.decisions.get(names.get(nr) ?? '');
    for (const value of decision === undefined ? [] : edges(decision)) {
      for (const arg of none.keys()) {
        const wide = BigInt(value);
        for (const given of [wide, wide | HIGH]) yield { native: true, nr, args: none.map((zero, i) => (i === arg ? given : zero)) };
      }
    }
  }
}

function edges(decision: Decision): readonly number[] {
  if (decision.kind !== 'when') return [];
  const { test } = decision;
  const bits = Array.from({ length: 32 }, (_, i) => 2 ** i);
  const said = test.op === 'lacks' ? [test.bits, 0xffff_ffff - test.bits] : test.values;
  return [...bits, ...said.flatMap((v) => [v, v - 1, v + 1, ...bits.map((bit) => (v ^ bit) >>> 0)]), 0xffff_ffff].filter((v) => v >= 0 && v <= 0xffff_ffff);
}
