// SPDX-License-Identifier: Apache-2.0
import { backslashEscape, dropper, escapeReader, hexPrefix, hexValue, htmlEscape, MOST_DROPPED, percentEscape, type Reader, type Taker } from './escapes.ts';
import type { PhraseFinder } from './phrase-finder.ts';

/**
 * Ways to read a text in which a secret would show: with its percent signs, backslashes or entities resolved, without its line breaks, as
 * base64 or hex of something. Each hands what it reads to a place in the same finder. So a form that mixes both spellings byte by byte
 * is found as well as one that spells every byte, and what is found is known as a part of the text itself.
 */
export type OnFound = (start: number, end: number, owner: number) => void;
export type Reading = {
  readonly take: (byte: number, at: number) => void;
  readonly end: () => void;
  /** Nothing found later begins before this; Infinity when nothing has begun. */
  readonly beginsFrom: () => number;
};

/** A place in the finder, with the text behind each of the bytes that it has seen. */
function place(finder: PhraseFinder, onFound: OnFound): Taker & { state: number; readonly beginsFrom: () => number; readonly seen: () => number; readonly enter: (state: number, at: number) => void } {
  const mask = 2 ** Math.ceil(Math.log2(finder.longest + 1)) - 1;
  const starts = new Float64Array(mask + 1);
  let count = 0;
  /** How many of the last bytes stand in the text as they are, one behind the other. */
  let plain = 0;
  let last = 0;
  const here = {
    state: 0,
    take: (byte: number, start: number, end: number): void => {
      plain = end !== start + 1 ? 0 : start === last ? plain + 1 : 1;
      last = end;
      starts[count & mask] = start;
      count += 1;
      here.state = finder.step(here.state, byte);
      const found = finder.ends[here.state]!;
      if (found !== 0) onFound(starts[(count - finder.depth[found]!) & mask]!, end, finder.owner[found]!);
    },
    cut: (): void => {
      here.state = 0;
      plain = 0;
    },
    beginsFrom: (): number => (here.state === 0 ? Infinity : starts[(count - finder.depth[here.state]!) & mask]!),
    seen: (): number => plain,
    /** As if it had read the text as it is until here. */
    enter: (state: number, at: number): void => {
      const depth = finder.depth[state]!;
      for (let back = depth; back > 0; back -= 1) starts[count++ & mask] = at - back;
      here.state = state;
      plain = depth;
      last = at;
    },
  };
  return here;
}

/** The text as it is. */
function asItIs(finder: PhraseFinder, onFound: OnFound): Reading & { state: number } {
  let end = 0;
  const here = {
    state: 0,
    take: (byte: number, at: number): void => {
      end = at + 1;
      here.state = finder.step(here.state, byte);
      const found = finder.ends[here.state]!;
      if (found !== 0) onFound(end - finder.depth[found]!, end, finder.owner[found]!);
    },
    end: (): void => {},
    beginsFrom: (): number => (here.state === 0 ? Infinity : end - finder.depth[here.state]!),
  };
  return here;
}

type Chain = { readonly wakes: readonly number[]; readonly build: (to: Taker) => readonly Reader[] };

/** Spaces of all sorts, and the zero bytes of UTF-16. */
const SPACES: ReadonlySet<number> = new Set([0x00, 0x09, 0x0a, 0x0d, 0x20]);
const BETWEEN_HEX: ReadonlySet<number> = new Set([...SPACES, ...Array.from(',:-_.;', (char) => char.charCodeAt(0))]);

const [PERCENT, BACKSLASH, AMPERSAND, ZERO] = [percentEscape.lead, backslashEscape.lead, htmlEscape.lead, hexPrefix.lead];
const CHAINS: readonly Chain[] = [
  { wakes: [PERCENT], build: (to) => [escapeReader(percentEscape, to)] },
  { wakes: [PERCENT], build: (to) => inARow(to, (next) => escapeReader(percentEscape, next), (next) => escapeReader(percentEscape, next)) },
  { wakes: [BACKSLASH], build: (to) => [escapeReader(backslashEscape, to)] },
  { wakes: [BACKSLASH], build: (to) => inARow(to, (next) => escapeReader(backslashEscape, next), (next) => escapeReader(backslashEscape, next)) },
  { wakes: [AMPERSAND], build: (to) => [escapeReader(htmlEscape, to)] },
  { wakes: [BACKSLASH, ...SPACES], build: (to) => inARow(to, (next) => escapeReader(backslashEscape, next), (next) => dropper(SPACES, next)) },
  { wakes: [...SPACES], build: (to) => [dropper(SPACES, to)] },
  { wakes: [ZERO, ...BETWEEN_HEX], build: (to) => inARow(to, (next) => dropper(BETWEEN_HEX, next), (next) => escapeReader(hexPrefix, next)) },
];

/** For each byte, a bit for each chain that it wakes. */
const WAKES = Uint16Array.from({ length: 256 }, (_, byte) => CHAINS.reduce((bits, { wakes }, index) => (wakes.includes(byte) ? bits | (1 << index) : bits), 0));

/** The first reads the text, the last hands on to `to`. */
function inARow(to: Taker, first: (next: Taker) => Reader, second: (next: Taker) => Reader): readonly Reader[] {
  const last = second(to);
  return [first(last), last];
}

/** Its `take` says whether it wants the next byte too, whatever that is. */
type Sleeper = Omit<Reading, 'take'> & { readonly take: (byte: number, at: number) => boolean };

/**
 * A reading that differs from the text only behind certain bytes. It sleeps until one of them comes, and again as soon as all that its
 * place knows of stands in the text as it is: then both places are the same, as each is the longest beginning of a phrase that fits.
 */
function resolved(finder: PhraseFinder, chain: Chain, text: { readonly state: number }, onFound: OnFound): Sleeper {
  const to = place(finder, onFound);
  const readers = chain.build(to);
  const [first] = readers;
  const wakes = new Uint8Array(256);
  for (const byte of chain.wakes) wakes[byte] = 1;
  let awake = false;
  const thinksFrom = (): number => readers.reduce((from, reader) => Math.min(from, reader.thinksFrom()), Infinity);

  return {
    /** Called before the text's own place has gone on to this byte. */
    take: (byte, at) => {
      if (!awake) {
        if (wakes[byte] === 0) return false;
        awake = true;
        to.enter(text.state, at);
      } else if (to.state === text.state && wakes[byte] === 0 && finder.depth[to.state]! <= to.seen() && thinksFrom() === Infinity) {
        awake = false;
        return false;
      }
      first!.take(byte, at, at + 1);
      return true;
    },
    end: () => {
      if (awake) for (const reader of readers) reader.finish();
    },
    beginsFrom: () => (awake ? Math.min(thinksFrom(), to.beginsFrom()) : Infinity),
  };
}

/**
 * Encodings that spell bytes in groups of characters: nobody knows in which group a secret begins, so each beginning has a place of its
 * own. Runs too short for a form of the shortest secret are not read.
 */
type Spelling = { readonly bits: 4 | 6; readonly shortest: number; readonly value: (byte: number) => number; readonly skips: (byte: number) => boolean };

const LINE_BREAKS: ReadonlySet<number> = new Set([0x0a, 0x0d]);
const BASE64 = Int8Array.from({ length: 256 }, (_, byte) => {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const char = String.fromCharCode(byte);
  return digits.indexOf(char === '-' ? '+' : char === '_' ? '/' : char);
});
const SPELLINGS: readonly Spelling[] = [
  { bits: 6, shortest: 11, value: (byte) => BASE64[byte]!, skips: (byte) => LINE_BREAKS.has(byte) },
  { bits: 4, shortest: 16, value: hexValue, skips: () => false },
];

function spelled(finder: PhraseFinder, { bits, shortest, value, skips }: Spelling, onFound: OnFound): Reading {
  /** Characters to a group; a group of base64 spells three bytes, one of hex a byte. */
  const group = bits === 6 ? 4 : 2;
  const places = Array.from({ length: group }, () => place(finder, onFound));
  const values = new Uint8Array(16);
  const starts = new Float64Array(16);
  const ends = new Float64Array(16);
  let run = 0;
  let skipped = 0;

  function take(byte: number, at: number): void {
    const digit = value(byte);
    if (digit === -1) {
      skipped += 1;
      if (run > 0 && (!skips(byte) || skipped > MOST_DROPPED)) close();
      return;
    }
    skipped = 0;
    values[run & 15] = digit;
    starts[run & 15] = at;
    ends[run & 15] = at + 1;
    run += 1;
    if (run < shortest) return;
    if (run > shortest) return groupEnds(run);
    for (let length = group; length <= run; length += 1) groupEnds(length);
  }

  /** The last characters of the first `length` of the run are a group to one of the places. */
  function groupEnds(length: number): void {
    const to = places[length % group]!;
    const from = length - group;
    for (let bit = 0; bit < bits * group; bit += 8) spell(to, from, bit);
  }

  function spell(to: Taker, from: number, bit: number): void {
    const high = from + Math.floor(bit / bits);
    const low = from + Math.floor((bit + 7) / bits);
    const two = (values[high & 15]! << bits) | values[low & 15]!;
    const shift = 2 * bits - 8 - (bit % bits);
    to.take((two >> shift) & 255, starts[high & 15]!, ends[low & 15]!);
  }

  /** The last group of a run need not be whole. */
  function close(): void {
    if (run >= shortest && bits === 6) {
      for (let over = 2; over < group; over += 1) {
        const from = run - over;
        for (let bit = 0; bit + 8 <= over * bits; bit += 8) spell(places[from % group]!, from, bit);
      }
    }
    run = 0;
    for (const to of places) to.cut();
  }

  function beginsFrom(): number {
    if (run === 0) return Infinity;
    // The group that is being written begins at most so many characters ago.
    const open = starts[Math.max(run - (run < shortest ? run : group - 1), 0) & 15]!;
    return places.reduce((from, to) => Math.min(from, to.beginsFrom()), open);
  }

  return { take, end: close, beginsFrom };
}

/** All readings of one text, in step with each other. */
export function readingsOf(finder: PhraseFinder, onFound: OnFound): Reading {
  const text = asItIs(finder, onFound);
  const sleepers = CHAINS.map((chain) => resolved(finder, chain, text, onFound));
  const [base64, hex] = SPELLINGS.map((spelling) => spelled(finder, spelling, onFound));
  const all = [text, ...sleepers, base64!, hex!];
  /** A bit for each that is awake. */
  let awake = 0;

  /** Most bytes of most texts wake nobody. */
  function takeAwake(wanted: number, byte: number, at: number): void {
    awake = 0;
    for (let index = 0; index < sleepers.length; index += 1) {
      if ((wanted & (1 << index)) !== 0 && sleepers[index]!.take(byte, at)) awake |= 1 << index;
    }
  }

  return {
    take: (byte, at) => {
      const wanted = awake | WAKES[byte]!;
      if (wanted !== 0) takeAwake(wanted, byte, at);
      base64!.take(byte, at);
      hex!.take(byte, at);
      text.take(byte, at);
    },
    end: () => {
      for (const reading of all) reading.end();
    },
    beginsFrom: () => all.reduce((from, reading) => Math.min(from, reading.beginsFrom()), Infinity),
  };
}
