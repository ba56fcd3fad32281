// SPDX-License-Identifier: Apache-2.0
// The automaton of a compiled profile, walked as the kernel walks it (security/apparmor/match.c).

/** Of each state: what it accepts, in two words. */
export type Automaton = {
  readonly step: (state: number, byte: number) => number;
  readonly walk: (state: number, bytes: Uint8Array) => number;
  readonly accepts: (state: number) => readonly [number, number];
  /** Every state that some text leads to from this one, itself among them. */
  readonly reachable: (state: number) => ReadonlySet<number>;
};

export const START = 1;

const MAGIC = 0x1b5e783d;
const [ACCEPT, BASE, CHECK, DEFAULT, CLASSES, ACCEPT2, NEXT] = [1, 2, 3, 4, 5, 7, 8];
/** A base with it says: what this state does not know, its default does, with the same byte. */
const DIFFERENCE = 0x80000000;

export function readAutomaton(blob: Buffer): Automaton {
  // Padded in front, so that its tables lie at multiples of eight in the whole profile.
  const at = blob.indexOf(Buffer.from([0x1b, 0x5e, 0x78, 0x3d]));
  if (at < 0 || at > 7 || blob.readUInt32BE(at) !== MAGIC) throw new Error('an automaton does not begin with its number');
  const data = blob.subarray(at);
  const tables = new Map<number, readonly number[]>();
  let offset = data.readUInt32BE(4);
  const end = data.readUInt32BE(8);
  while (offset < end) {
    const [id, size, count] = [data.readUInt16BE(offset), data.readUInt16BE(offset + 2), data.readUInt32BE(offset + 8)];
    offset += 12;
    const read = { 1: (o: number) => data.readUInt8(o), 2: (o: number) => data.readUInt16BE(o), 4: (o: number) => data.readUInt32BE(o) }[size];
    if (read === undefined) throw new Error(`table ${id} of an automaton has elements of ${size} bytes`);
    tables.set(id, Array.from({ length: count }, (_, n) => read(offset + n * size)));
    offset = (offset + count * size + 7) & ~7;
  }
  const table = (id: number): readonly number[] => {
    const found = tables.get(id);
    if (found === undefined) throw new Error(`an automaton has no table ${id}`);
    return found;
  };
  const [accept, base, check, fallback, next] = [ACCEPT, BASE, CHECK, DEFAULT, NEXT].map((id) => table(id!)) as [readonly number[], readonly number[], readonly number[], readonly number[], readonly number[]];
  const accept2 = tables.get(ACCEPT2!) ?? [];
  const classes = tables.get(CLASSES!);

  function step(from: number, byte: number): number {
    const c = classes === undefined ? byte : classes[byte]!;
    for (let state = from; ; ) {
      const b = base[state]!;
      const place = (b & 0xffffff) + c;
      if (check[place] === state) return next[place]!;
      state = fallback[state]!;
      if ((b & DIFFERENCE) === 0) return state;
    }
  }
  return {
    step,
    walk: (state, bytes) => bytes.reduce(step, state),
    accepts: (state) => [accept[state]!, accept2[state] ?? 0],
    reachable: (from) => {
      const seen = new Set([from]);
      for (const state of seen) for (let byte = 0; byte < 256; byte += 1) seen.add(step(state, byte));
      return seen;
    },
  };
}
