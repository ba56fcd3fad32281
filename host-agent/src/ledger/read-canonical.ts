// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from './entry.ts';

// Not JSON.parse: V8 12.8 to at least 14.6 reads the key "\n" or "\"" as "\" once another object with the key "\\" was read
// (nodejs/node#63785). Whoever chooses keys could so make good entries look changed.
// This reads what encode.ts prints and nothing more lenient than JSON; that the text is canonical is seen by encoding again.

const MAX_DEPTH = 128;
const NUMBER = /-?(?:0|[1-9][0-9]*)/y;
// What stands between the quotes: no control characters, no lone quote or backslash.
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;

type Reader = { readonly text: string; at: number };

/** Throws a SyntaxError where the text is not JSON without spaces and fractions. */
export function readCanonical(text: string): JsonValue {
  const reader: Reader = { text, at: 0 };
  const value = readValue(reader, 0);
  if (reader.at !== text.length) throw wrong(reader);
  return value;
}

function readValue(reader: Reader, depth: number): JsonValue {
  if (depth > MAX_DEPTH) throw wrong(reader);
  switch (reader.text[reader.at]) {
    case '{':
      return readObject(reader, depth);
    case '[':
      return readArray(reader, depth);
    case '"':
      return readString(reader);
    case 't':
      return readWord(reader, 'true', true);
    case 'f':
      return readWord(reader, 'false', false);
    case 'n':
      return readWord(reader, 'null', null);
    default:
      return Number(readToken(reader, NUMBER));
  }
}

function readObject(reader: Reader, depth: number): JsonValue {
  const members: [string, JsonValue][] = [];
  reader.at += 1;
  if (take(reader, '}')) return {};
  do {
    const key = readString(reader);
    if (!take(reader, ':')) throw wrong(reader);
    members.push([key, readValue(reader, depth + 1)]);
  } while (take(reader, ','));
  if (!take(reader, '}')) throw wrong(reader);
  // Defines each key as its own, __proto__ too.
  return Object.fromEntries(members);
}

function readArray(reader: Reader, depth: number): JsonValue {
  const items: JsonValue[] = [];
  reader.at += 1;
  if (take(reader, ']')) return items;
  do items.push(readValue(reader, depth + 1));
  while (take(reader, ','));
  if (!take(reader, ']')) throw wrong(reader);
  return items;
}

function readString(reader: Reader): string {
  const literal = readToken(reader, STRING);
  // A literal by itself has no keys to confuse.
  return literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
}

function readWord<T extends JsonValue>(reader: Reader, word: string, value: T): T {
  if (!reader.text.startsWith(word, reader.at)) throw wrong(reader);
  reader.at += word.length;
  return value;
}

function readToken(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at;
  const token = pattern.exec(reader.text)?.[0];
  if (token === undefined) throw wrong(reader);
  reader.at += token.length;
  return token;
}

function take(reader: Reader, expected: string): boolean {
  if (reader.text[reader.at] !== expected) return false;
  reader.at += 1;
  return true;
}

function wrong(reader: Reader): SyntaxError {
  return new SyntaxError(`not canonical JSON at character ${reader.at}`);
}
