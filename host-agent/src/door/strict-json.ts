// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';

// Everything that reaches us as JSON was written by somebody we do not trust. JSON.parse keeps the last of two equal keys,
// rounds integers, keeps lone surrogates and nests without end; two readers of one text could then see two requests (A05, A22, B06).

export type JsonLimits = {
  /** Open arrays and objects at one time; at most 256, so that the parser's own recursion stays small. */
  readonly maxDepth: number;
  /**
   * Values in the whole text, arrays and objects among them. Bytes do not bound them: `[],` is three bytes and becomes 180 bytes of
   * heap, so that one line of 1 MiB could be worth 60 MiB to who wants to exhaust us.
   */
  readonly maxValues: number;
  /** Object keys in the whole text. */
  readonly maxKeys: number;
  /** UTF-16 units of one string. */
  readonly maxString: number;
};

// The most values of ours on one line are a page of the ledger: 1000 entries of five values.
const LIMITS: JsonLimits = { maxDepth: 32, maxValues: 20_000, maxKeys: 10_000, maxString: 1_048_576 };
/** For what root or holdfastd wrote, which is bounded by its bytes: every agent that is declared, every grant that holds. */
export const OWN_LIMITS = { maxValues: 1_000_000, maxKeys: 1_000_000 };
const DEEPEST = 256;
const MAX_KEY = 1024;

/** RFC 8259 text to a value whose objects have no prototype; refused where two readers could disagree about it. */
export function parseStrictJson(text: string, limits: Partial<JsonLimits> = {}): Result<JsonValue> {
  const { maxDepth, maxValues, maxKeys, maxString } = { ...LIMITS, ...limits };
  if (!text.isWellFormed()) return refuse('not JSON: the text holds a lone surrogate');
  const bounds = { maxDepth: Math.min(maxDepth, DEEPEST), maxValues, maxKeys, maxString };
  const reader: Reader = { text, at: 0, valuesLeft: maxValues, keysLeft: maxKeys, ...bounds, error: '' };
  skipSpace(reader);
  const value = readValue(reader, 0);
  if (value === undefined) return refuse(reader.error);
  skipSpace(reader);
  if (reader.at !== text.length) return refuse(`not JSON: text after the value at character ${reader.at}`);
  return accept(value);
}

type Reader = JsonLimits & {
  readonly text: string;
  at: number;
  valuesLeft: number;
  keysLeft: number;
  error: string;
};

/** Marks the text as refused. JSON has no `undefined`, so it stands for "refused, see error" in every reader below. */
function stop(reader: Reader, why: string): undefined {
  reader.error = `not JSON: ${why} at character ${reader.at}`;
  return undefined;
}

function skipSpace(reader: Reader): void {
  for (;;) {
    const code = reader.text.charCodeAt(reader.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    reader.at += 1;
  }
}

function readValue(reader: Reader, depth: number): JsonValue | undefined {
  reader.valuesLeft -= 1;
  if (reader.valuesLeft < 0) return stop(reader, `more than ${reader.maxValues} values`);
  switch (reader.text[reader.at]) {
    case '{':
      return readObject(reader, depth + 1);
    case '[':
      return readArray(reader, depth + 1);
    case '"':
      return readString(reader, reader.maxString);
    case 't':
      return readWord(reader, 'true', true);
    case 'f':
      return readWord(reader, 'false', false);
    case 'n':
      return readWord(reader, 'null', null);
    case undefined:
      return stop(reader, 'the text ends too early');
    default:
      return readNumber(reader);
  }
}

function readWord<T extends JsonValue>(reader: Reader, word: string, value: T): T | undefined {
  if (!reader.text.startsWith(word, reader.at)) return stop(reader, 'an unknown word');
  reader.at += word.length;
  return value;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

function readNumber(reader: Reader): number | undefined {
  NUMBER.lastIndex = reader.at;
  const found = NUMBER.exec(reader.text)?.[0];
  if (found === undefined) return stop(reader, 'no value');
  const value = Number(found);
  if (!Number.isFinite(value)) return stop(reader, 'a number too large');
  // RFC 8259 section 6: integers agree everywhere only within ±(2^53 − 1).
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return stop(reader, 'an integer beyond ±(2^53 − 1)');
  reader.at += found.length;
  // RFC 8785 prints -0 as 0; what is judged and what is hashed must be one value.
  return value === 0 ? 0 : value;
}

function readArray(reader: Reader, depth: number): JsonValue | undefined {
  if (depth > reader.maxDepth) return stop(reader, `nested deeper than ${reader.maxDepth}`);
  const items: JsonValue[] = [];
  reader.at += 1;
  skipSpace(reader);
  if (reader.text[reader.at] === ']') {
    reader.at += 1;
    return items;
  }
  for (;;) {
    skipSpace(reader);
    const item = readValue(reader, depth);
    if (item === undefined) return undefined;
    items.push(item);
    skipSpace(reader);
    const next = reader.text[reader.at];
    if (next !== ',' && next !== ']') return stop(reader, 'an array without "," or "]"');
    reader.at += 1;
    if (next === ']') return items;
  }
}

function readObject(reader: Reader, depth: number): JsonValue | undefined {
  if (depth > reader.maxDepth) return stop(reader, `nested deeper than ${reader.maxDepth}`);
  const members: Record<string, JsonValue> = Object.create(null);
  reader.at += 1;
  skipSpace(reader);
  if (reader.text[reader.at] === '}') {
    reader.at += 1;
    return members;
  }
  for (;;) {
    skipSpace(reader);
    const key = readKey(reader);
    if (key === undefined) return undefined;
    if (Object.hasOwn(members, key)) return stop(reader, `the key ${JSON.stringify(key.slice(0, 40))} twice`);
    skipSpace(reader);
    if (reader.text[reader.at] !== ':') return stop(reader, 'a key without ":"');
    reader.at += 1;
    skipSpace(reader);
    const value = readValue(reader, depth);
    if (value === undefined) return undefined;
    members[key] = value;
    skipSpace(reader);
    const next = reader.text[reader.at];
    if (next !== ',' && next !== '}') return stop(reader, 'an object without "," or "}"');
    reader.at += 1;
    if (next === '}') return members;
  }
}

function readKey(reader: Reader): string | undefined {
  if (reader.text[reader.at] !== '"') return stop(reader, 'a key without quotes');
  reader.keysLeft -= 1;
  if (reader.keysLeft < 0) return stop(reader, `more than ${reader.maxKeys} keys`);
  const key = readString(reader, Math.min(MAX_KEY, reader.maxString));
  // Harmless in an object without prototype, but a copy made with `=` further in would set a prototype (A22).
  if (key === '__proto__') return stop(reader, 'the key "__proto__" is not accepted');
  return key;
}

function readString(reader: Reader, max: number): string | undefined {
  const { text } = reader;
  const from = reader.at;
  let at = from + 1;
  let units = 0;
  let escapes = false;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === 0x22) break;
    if (units >= max) return stop(reader, `a string longer than ${max}`);
    units += 1;
    if (code === 0x5c) {
      const length = escapeLength(text, at);
      if (length === 0) return stop(reader, 'an unknown or broken escape in a string');
      escapes = true;
      at += length;
    } else if (code < 0x20) {
      return stop(reader, 'a control character in a string');
    } else if (Number.isNaN(code)) {
      return stop(reader, 'a string without end');
    } else {
      at += 1;
    }
  }
  reader.at = at + 1;
  if (!escapes) return text.slice(from + 1, at);
  // The literal was checked above, character by character; only its escapes are left to be turned into what they mean.
  const value: string = JSON.parse(text.slice(from, at + 1));
  if (!value.isWellFormed()) return stop(reader, 'a lone surrogate in a string');
  return value;
}

/** Length of the escape at `at`, 0 when there is no such escape (RFC 8259 section 7). */
function escapeLength(text: string, at: number): 0 | 2 | 6 {
  const letter = text.charCodeAt(at + 1);
  if (letter !== 0x75) return '"\\/bfnrt'.includes(String.fromCharCode(letter)) ? 2 : 0;
  return isHex(text, at + 2) && isHex(text, at + 3) && isHex(text, at + 4) && isHex(text, at + 5) ? 6 : 0;
}

function isHex(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66) || (code >= 0x41 && code <= 0x46);
}
