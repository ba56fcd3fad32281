// SPDX-License-Identifier: Apache-2.0

/** Bytes to find, and whose they are. */
export type Phrase = { readonly bytes: Uint8Array; readonly owner: number };

/**
 * Finds many phrases in one pass (Aho and Corasick, 1975): each byte costs a step and, over the whole text, at most one step back, however
 * many phrases there are. Bytes are compared by class: letters without case, and `-`, `+` and space as one, `_` and `/` as one. So one
 * phrase stands for base64 and base64url, for hex in both cases, for a form's `+` and for a secret that somebody wrote in capitals.
 */
export type PhraseFinder = {
  /** The state after this byte. 0 is the state in which nothing has begun. */
  readonly step: (node: number, byte: number) => number;
  /** How many of the last bytes are the beginning of a phrase. */
  readonly depth: Int32Array;
  /** The state of the longest phrase that ends in this state, or 0. Shorter ones that end here are parts of it. */
  readonly ends: Int32Array;
  readonly owner: Int32Array;
  readonly longest: number;
  /** Steps made until now, for who shows that their number grows with the text alone. */
  readonly steps: () => number;
  /** The phrases can be read back from the states. */
  readonly wipe: () => void;
};

const CLASS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x41 && byte <= 0x5a) return byte + 0x20;
  if (byte === 0x2d || byte === 0x20) return 0x2b;
  return byte === 0x5f ? 0x2f : byte;
});

export function phraseFinder(phrases: readonly Phrase[]): PhraseFinder {
  const room = phrases.reduce((sum, { bytes }) => sum + bytes.length, 1);
  const depth = new Int32Array(room);
  const ends = new Int32Array(room);
  const owner = new Int32Array(room).fill(-1);
  const back = new Int32Array(room);
  const parent = new Int32Array(room);
  const edge = new Uint8Array(room);
  // Nearly every state has one way on: that lies with the state, and the few others in a table of their own.
  const firstEdge = new Uint8Array(room);
  const first = new Int32Array(room);
  const others = new Map<number, number>();
  const branches = new Uint8Array(room);
  const fromStart = new Int32Array(256);
  let made = 1;
  let longest = 0;
  let steps = 0;

  function onward(node: number, byteClass: number): number {
    if (node === 0) return fromStart[byteClass]!;
    if (firstEdge[node] === byteClass && first[node] !== 0) return first[node]!;
    return branches[node] === 1 ? (others.get(node * 256 + byteClass) ?? 0) : 0;
  }

  function add({ bytes, owner: whose }: Phrase): void {
    let node = 0;
    for (const byte of bytes) {
      const byteClass = CLASS[byte]!;
      let next = onward(node, byteClass);
      if (next === 0) {
        next = made++;
        depth[next] = depth[node]! + 1;
        parent[next] = node;
        edge[next] = byteClass;
        if (node === 0) fromStart[byteClass] = next;
        else if (first[node] === 0) {
          first[node] = next;
          firstEdge[node] = byteClass;
        } else {
          branches[node] = 1;
          others.set(node * 256 + byteClass, next);
        }
      }
      node = next;
    }
    if (owner[node] === -1) owner[node] = whose;
    longest = Math.max(longest, bytes.length);
  }

  function step(from: number, byte: number): number {
    const byteClass = CLASS[byte]!;
    for (let node = from; ; node = back[node]!) {
      steps += 1;
      // Most of most texts happens in these.
      if (depth[node]! <= 1) return early[(rowOf[node]! << 8) | byteClass]!;
      const next = onward(node, byteClass);
      if (next !== 0) return next;
    }
  }

  for (const phrase of phrases) if (phrase.bytes.length > 0) add(phrase);
  // All steps from the start and from the states one byte behind it; the others step back to these.
  const rowOf = new Uint16Array(room);
  const early = new Int32Array(257 * 256);
  early.set(fromStart);
  fromStart.filter((node) => node !== 0).forEach((node, index) => {
    rowOf[node] = index + 1;
    for (let byteClass = 0; byteClass < 256; byteClass += 1) early[((index + 1) << 8) | byteClass] = onward(node, byteClass) || fromStart[byteClass]!;
  });
  for (const node of byDepth(depth, made, longest)) {
    if (depth[node]! > 1) back[node] = step(back[parent[node]!]!, edge[node]!);
    ends[node] = owner[node] === -1 ? ends[back[node]!]! : node;
  }
  steps = 0;

  return {
    step,
    depth,
    ends,
    owner,
    longest,
    steps: () => steps,
    wipe: () => {
      for (const kept of [edge, firstEdge, first, fromStart, early, parent, back]) kept.fill(0);
      others.clear();
    },
  };
}

/** A state goes back to one of a smaller depth, so those must be known first. */
function byDepth(depth: Int32Array, made: number, longest: number): Int32Array {
  const begins = new Int32Array(longest + 2);
  for (let node = 1; node < made; node += 1) begins[depth[node]! + 1]! += 1;
  for (let at = 1; at < begins.length; at += 1) begins[at]! += begins[at - 1]!;
  const sorted = new Int32Array(made - 1);
  for (let node = 1; node < made; node += 1) sorted[begins[depth[node]!]!++] = node;
  return sorted;
}
