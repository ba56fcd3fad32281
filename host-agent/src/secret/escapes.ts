// SPDX-License-Identifier: Apache-2.0

/** Takes bytes as one reading of the text has them, each with the part of the text that it stands for. */
export type Taker = {
  readonly take: (byte: number, start: number, end: number) => void;
  /** What comes next does not follow upon what came before. */
  readonly cut: () => void;
};
/** One that can be in the middle of something. */
export type Reader = Taker & {
  /** Where the text begins that it still thinks about; Infinity when it thinks about nothing. */
  readonly thinksFrom: () => number;
  /** No more comes: what it still thinks about is what it looks like. */
  readonly finish: () => void;
};

/** How one sort of escape is written. `read` looks at the first `length` of `seen`. */
export type Escape = { readonly lead: number; readonly read: (seen: Uint8Array, length: number) => 'more' | 'no' | Read };
/** So many bytes of it mean these bytes. */
type Read = { readonly used: number; readonly bytes: readonly number[] };

const PERCENT = 0x25;
const BACKSLASH = 0x5c;
const AMPERSAND = 0x26;
const ZERO = 0x30;
/** No escape that is read is longer: `\ud83d\ude00`. */
const LONGEST = 12;

export const percentEscape: Escape = {
  lead: PERCENT,
  read: (seen, length) => hexEscape(seen, length, 1, 2),
};

/** JSON's, and `\x41` and `\'` of the languages around it. */
export const backslashEscape: Escape = {
  lead: BACKSLASH,
  read: (seen, length) => {
    if (length === 1) return 'more';
    const letter = String.fromCharCode(seen[1]!);
    if (letter === 'u') return unicodeEscape(seen, length);
    if (letter === 'x') return hexEscape(seen, length, 2, 2);
    const control = 'btnfr'.indexOf(letter);
    if (control !== -1) return { used: 2, bytes: ['\b\t\n\f\r'.charCodeAt(control)] };
    return `"'\\/`.includes(letter) ? { used: 2, bytes: [seen[1]!] } : 'no';
  },
};

const ENTITIES: ReadonlyMap<string, string> = new Map(Object.entries({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", plus: '+', sol: '/', equals: '=', lowbar: '_', colon: ':', num: '#', percnt: '%', dollar: '$', excl: '!', ast: '*', commat: '@' }));

export const htmlEscape: Escape = {
  lead: AMPERSAND,
  read: (seen, length) => {
    const text = String.fromCharCode(...seen.subarray(1, length));
    if (!text.endsWith(';')) return length < 10 && /^(?:#(?:[0-9]*|[xX][0-9a-fA-F]*)|[a-z]*)$/.test(text) ? 'more' : 'no';
    const number = /^#(?:([0-9]+)|[xX]([0-9a-fA-F]+));$/.exec(text);
    const named = ENTITIES.get(text.slice(0, -1));
    if (number === null) return named === undefined ? 'no' : { used: length, bytes: [named.charCodeAt(0)] };
    const point = number[1] === undefined ? Number.parseInt(number[2]!, 16) : Number(number[1]);
    return point > 0x10ffff ? 'no' : { used: length, bytes: utf8(point) };
  },
};

/** The `0x` of `0x41, 0x42`: nothing by itself. */
export const hexPrefix: Escape = {
  lead: ZERO,
  read: (seen, length) => (length === 1 ? 'more' : (seen[1]! | 0x20) === 0x78 ? { used: 2, bytes: [] } : 'no'),
};

/** Reads one sort of escape and hands on what the text means with it. */
export function escapeReader({ lead, read }: Escape, next: Taker): Reader {
  const seen = new Uint8Array(LONGEST);
  const starts = new Float64Array(LONGEST);
  const ends = new Float64Array(LONGEST);
  let length = 0;

  function add(byte: number, start: number, end: number): void {
    seen[length] = byte;
    starts[length] = start;
    ends[length] = end;
    length += 1;
  }

  function take(byte: number, start: number, end: number): void {
    if (length === 0 && byte !== lead) return next.take(byte, start, end);
    add(byte, start, end);
    const meant = read(seen, length);
    if (meant !== 'more') decide(meant);
  }

  function decide(meant: 'no' | Read): void {
    const used = meant === 'no' ? 1 : meant.used;
    if (meant === 'no') next.take(seen[0]!, starts[0]!, ends[0]!);
    else for (const byte of meant.bytes) next.take(byte, starts[0]!, ends[used - 1]!);
    again(used);
  }

  /** What lies behind a decided beginning is read anew: at most LONGEST bytes. */
  function again(used: number): void {
    if (used === length) {
      length = 0;
      return;
    }
    const rest = Array.from({ length: length - used }, (_, at) => [seen[used + at]!, starts[used + at]!, ends[used + at]!] as const);
    length = 0;
    for (const [byte, start, end] of rest) take(byte, start, end);
  }

  function finish(): void {
    while (length > 0) decide('no');
  }

  return {
    take,
    cut: () => {
      finish();
      next.cut();
    },
    thinksFrom: () => (length === 0 ? Infinity : starts[0]!),
    finish,
  };
}

/** More of them than this in a row are a gap, and what is held back for what may follow stays small. */
export const MOST_DROPPED = 64;

/** Leaves out the bytes that stand between the parts of something: line breaks of base64, colons of a fingerprint. */
export function dropper(dropped: ReadonlySet<number>, next: Taker): Reader {
  let row = 0;
  let last = -1;
  return {
    take: (byte, start, end) => {
      if (!dropped.has(byte)) return next.take(byte, start, end);
      row = start === last ? row + 1 : 1;
      last = end;
      if (row > MOST_DROPPED) next.cut();
    },
    cut: next.cut,
    thinksFrom: () => Infinity,
    finish: () => {},
  };
}

function unicodeEscape(seen: Uint8Array, length: number): 'more' | 'no' | Read {
  for (let at = 2; at < Math.min(length, 6); at += 1) if (hexValue(seen[at]!) === -1) return 'no';
  if (length < 6) return 'more';
  const unit = unitAt(seen, 2);
  if (unit < 0xd800 || unit > 0xdfff) return { used: 6, bytes: utf8(unit) };
  const alone = { used: 6, bytes: utf8(0xfffd) };
  if (unit > 0xdbff) return alone;
  const begins = [BACKSLASH, 0x75, -1, -1, -1, -1];
  for (let at = 6; at < length; at += 1) {
    const wanted = begins[at - 6]!;
    if (wanted === -1 ? hexValue(seen[at]!) === -1 : seen[at] !== wanted) return alone;
  }
  if (length < LONGEST) return 'more';
  const low = unitAt(seen, 8);
  return low >= 0xdc00 && low <= 0xdfff ? { used: LONGEST, bytes: utf8(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)) } : alone;
}

function hexEscape(seen: Uint8Array, length: number, from: number, digits: number): 'more' | 'no' | Read {
  if (length > from && hexValue(seen[length - 1]!) === -1) return 'no';
  if (length < from + digits) return 'more';
  return { used: length, bytes: [hexValue(seen[from]!) * 16 + hexValue(seen[from + 1]!)] };
}

function unitAt(seen: Uint8Array, from: number): number {
  let unit = 0;
  for (let at = from; at < from + 4; at += 1) unit = unit * 16 + hexValue(seen[at]!);
  return unit;
}

export function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function utf8(point: number): readonly number[] {
  if (point < 0x80) return [point];
  if (point < 0x800) return [0xc0 | (point >> 6), 0x80 | (point & 63)];
  if (point < 0x10000) return [0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)];
  return [0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63)];
}
