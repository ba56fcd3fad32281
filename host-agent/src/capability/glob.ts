// SPDX-License-Identifier: Apache-2.0

// The matcher of R1. Every step is bounded by the length of pattern plus text, times the 64 stars a pattern may hold (A08).
//
// Matching and containment are one algorithm. A `*` in the covered side is a character that only a `*` of the covering side
// can take up; so a pattern covers another exactly when it matches it read as text, and a star in a request stays a name.

/** One path segment, or one field of another resource: text around stars, each star taking any characters, also none. */
type Segment = { readonly text: string; readonly glob: Glob | null };
type Glob = { readonly first: string; readonly middle: readonly Piece[]; readonly last: string; readonly least: number };
/** Text to be found, with its failure function where a plain search could be slow. */
type Piece = { readonly text: string; readonly back: Uint16Array | null };

/**
 * Runs of segments with gaps between them. A gap of n stands for n or more segments: `**` is one or more whole segments, as
 * AppArmor has it, so `/workspace/**` is everything below /workspace and not /workspace itself.
 */
export type SegmentPattern = { readonly runs: readonly (readonly Segment[])[]; readonly gaps: readonly number[] };

/** Segments of the covered side; null stands for any number of further segments (the rest of a `**`). */
export type Covered = readonly (string | null)[];

export function compileSegment(text: string): Segment {
  if (!text.includes('*')) return { text, glob: null };
  const pieces = text.split('*');
  const least = text.length - pieces.length + 1;
  return { text, glob: { first: pieces[0]!, middle: pieces.slice(1, -1).map(compilePiece), last: pieces.at(-1)!, least } };
}

export function compileSegments(segments: readonly string[]): SegmentPattern {
  const runs: Segment[][] = [[]];
  const gaps: number[] = [];
  let stars: string[] = [];
  // A lone `*` beside a `**` belongs to its gap: `/*/**` and `/**/*` both say "two or more segments".
  function closeStars(): void {
    if (stars.includes('**')) {
      gaps.push(stars.length);
      runs.push([]);
    } else {
      runs.at(-1)!.push(...stars.map(compileSegment));
    }
    stars = [];
  }
  for (const segment of segments) {
    if (segment === '*' || segment === '**') {
      stars.push(segment);
    } else {
      closeStars();
      runs.at(-1)!.push(compileSegment(segment));
    }
  }
  closeStars();
  return { runs, gaps };
}

export function segmentCovers(outer: Segment, inner: string): boolean {
  if (outer.glob === null) return outer.text === inner;
  const { first, middle, last, least } = outer.glob;
  if (least > inner.length || !inner.startsWith(first) || !inner.endsWith(last)) return false;
  const limit = inner.length - last.length;
  let at = first.length;
  for (const piece of middle) {
    const found = find(inner, piece, at);
    if (found === -1 || found + piece.text.length > limit) return false;
    at = found + piece.text.length;
  }
  return true;
}

export function segmentsCover(outer: SegmentPattern, inner: Covered): boolean {
  const first = outer.runs[0]!;
  if (!matchesAt(first, inner, 0)) return false;
  if (outer.gaps.length === 0) return inner.length === first.length;
  let end = first.length;
  // Taking the leftmost place of each run loses nothing: it leaves the most for the gaps that follow.
  for (let n = 1; n < outer.gaps.length; n += 1) {
    const run = outer.runs[n]!;
    const at = findRun(run, inner, afterGap(inner, end, outer.gaps[n - 1]!));
    if (at === -1) return false;
    end = at + run.length;
  }
  const last = outer.runs.at(-1)!;
  const lastStart = inner.length - last.length;
  return lastStart >= afterGap(inner, end, outer.gaps.at(-1)!) && matchesAt(last, inner, lastStart);
}

/** The first place that has at least `gap` segments between `from` and itself, or Infinity. */
function afterGap(inner: Covered, from: number, gap: number): number {
  let seen = 0;
  for (let at = from; at < inner.length; at += 1) {
    if (inner[at] !== null) seen += 1;
    if (seen === gap) return at + 1;
  }
  return Infinity;
}

function matchesAt(run: readonly Segment[], inner: Covered, at: number): boolean {
  if (at < 0 || at + run.length > inner.length) return false;
  return run.every((segment, n) => {
    const text = inner[at + n];
    return typeof text === 'string' && segmentCovers(segment, text);
  });
}

/** Leftmost match of a whole run, all alignments at once (shift-and): a naive search would be quadratic on a long row of equal names. */
function findRun(run: readonly Segment[], inner: Covered, from: number): number {
  const words = Math.ceil(run.length / 32);
  const literals = new Map<string, Uint32Array>();
  const globs: { readonly at: number; readonly segment: Segment; readonly alike: number }[] = [];
  run.forEach((segment, at) => {
    if (segment.glob !== null) {
      const known = globs.findIndex((glob) => glob.segment.text === segment.text);
      globs.push({ at, segment, alike: known === -1 ? globs.length : known });
      return;
    }
    const mask = literals.get(segment.text) ?? new Uint32Array(words);
    setBit(mask, at);
    literals.set(segment.text, mask);
  });
  const nothing = new Uint32Array(words);
  // Bit n: the segments just read are the first n + 1 of the run.
  const state = new Uint32Array(words);
  const next = new Uint32Array(words);
  const answers = Array.from(globs, (): boolean | null => null);
  const last = run.length - 1;
  for (let at = from; at < inner.length; at += 1) {
    const text = inner[at];
    let carry = 1;
    for (let word = 0; word < words; word += 1) {
      next[word] = (state[word]! << 1) | carry;
      carry = state[word]! >>> 31;
    }
    const literal = (typeof text === 'string' && literals.get(text)) || nothing;
    for (let word = 0; word < words; word += 1) state[word] = next[word]! & literal[word]!;
    if (typeof text === 'string' && globs.length > 0) {
      answers.fill(null);
      for (const glob of globs) {
        if (!hasBit(next, glob.at)) continue;
        answers[glob.alike] ??= segmentCovers(glob.segment, text);
        if (answers[glob.alike]) setBit(state, glob.at);
      }
    }
    if (hasBit(state, last)) return at - last;
  }
  return -1;
}

function setBit(mask: Uint32Array, bit: number): void {
  mask[bit >>> 5] = mask[bit >>> 5]! | (1 << (bit & 31));
}

function hasBit(mask: Uint32Array, bit: number): boolean {
  return ((mask[bit >>> 5]! >>> (bit & 31)) & 1) === 1;
}

/** Short pieces cannot make the built-in search slow; long ones get Knuth, Morris and Pratt's. */
function compilePiece(text: string): Piece {
  if (text.length < 16) return { text, back: null };
  const back = new Uint16Array(text.length);
  for (let n = 1, same = 0; n < text.length; n += 1) {
    while (same > 0 && text.charCodeAt(n) !== text.charCodeAt(same)) same = back[same - 1]!;
    if (text.charCodeAt(n) === text.charCodeAt(same)) same += 1;
    back[n] = same;
  }
  return { text, back };
}

/** indexOf whose worst case is linear too. */
function find(text: string, { text: piece, back }: Piece, from: number): number {
  if (back === null) return text.indexOf(piece, from);
  for (let at = from, same = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    while (same > 0 && code !== piece.charCodeAt(same)) same = back[same - 1]!;
    if (code === piece.charCodeAt(same)) same += 1;
    if (same === piece.length) return at - same + 1;
  }
  return -1;
}
