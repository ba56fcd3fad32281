// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from './entry.ts';

// RFC 8785 (JSON Canonicalization Scheme), restricted so that one value has exactly one spelling and one spelling one
// value (attack case E08). Refused, never repaired: numbers that are not integers of at most 2^53-1 (RFC 7493, 2.2: beyond
// that two numbers read as one), minus zero (RFC 8785 would print it as 0), lone surrogates, and everything JSON lacks.

/** Deeper than any door accepts; keeps a hostile value from exhausting the stack. */
const MAX_DEPTH = 128;

const utf8 = new TextEncoder();

/** The canonical bytes of a value. Throws a TypeError that says where and why when the value has none. */
export function canonicalJson(value: JsonValue): Uint8Array {
  return utf8.encode(canonicalText(value));
}

export function canonicalText(value: JsonValue): string {
  return print(value, '$', 0);
}

function print(value: unknown, at: string, depth: number): string {
  if (depth > MAX_DEPTH) throw refused(at, `it nests deeper than ${MAX_DEPTH}`);
  switch (typeof value) {
    case 'string':
      return printString(value, at);
    case 'number':
      if (!Number.isSafeInteger(value)) throw refused(at, 'a number must be an integer of at most 2^53-1; write others as strings');
      if (Object.is(value, -0)) throw refused(at, 'minus zero would read back as zero');
      return String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? printArray(value, at, depth) : printObject(value, at, depth);
    default:
      throw refused(at, `JSON has no ${typeof value}`);
  }
}

function printString(value: string, at: string): string {
  if (!value.isWellFormed()) throw refused(at, 'the string holds half of a surrogate pair');
  // RFC 8785, 3.2.2.2 is defined as what ECMAScript's JSON.stringify does to a string.
  return JSON.stringify(value);
}

function printArray(value: readonly unknown[], at: string, depth: number): string {
  const parts: string[] = [];
  // By index: iteration methods would skip a hole and so shorten the array.
  for (let i = 0; i < value.length; i += 1) parts.push(print(value[i], `${at}[${i}]`, depth + 1));
  return `[${parts.join(',')}]`;
}

function printObject(value: object, at: string, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refused(at, 'only plain objects can be written');
  // RFC 8785, 3.2.3: by UTF-16 code units, which is what sort() without a comparator does. Object.entries sees own keys
  // only, so a key named __proto__ is a key like any other.
  const parts = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${printString(key, at)}:${print(inner, `${at}.${key}`, depth + 1)}`);
  return `{${parts.join(',')}}`;
}

function refused(at: string, why: string): TypeError {
  return new TypeError(`cannot encode ${at.toWellFormed().slice(0, 200)}: ${why}`);
}
