// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { wipeable } from './values.ts';

// JSON (RFC 8259) of which nobody makes strings: an answer that holds a secret is read as bytes, for a string cannot be wiped. A string is
// known by where it stands; its bytes are taken out by who needs them.

export type JsonNode =
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonNode> }
  | { readonly kind: 'array' }
  | { readonly kind: 'string'; readonly from: number; readonly to: number }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'word'; readonly value: boolean | null };

const MOST_DEPTH = 32;
const MOST_NODES = 20_000;
const MOST_KEY = 256;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const WORDS = [['true', true], ['false', false], ['null', null]] as const;
const HEX = /^[0-9a-fA-F]{4}$/;
const ESCAPES: Readonly<Record<string, number>> = { '"': 0x22, '\\': 0x5c, '/': 0x2f, b: 8, f: 12, n: 10, r: 13, t: 9 };
/** In the place of what is not ASCII, which no value of ours may hold. */
const NO_ASCII = 0xff;

/** Says where it stopped, never what stood there. */
export function readJsonBytes(bytes: Uint8Array): Result<JsonNode> {
  const reader = { bytes, at: 0, nodes: 0 };
  try {
    const node = readNode(reader, 0);
    skipSpace(reader);
    return reader.at === bytes.length ? accept(node) : refuse(`not JSON: more than one value at byte ${reader.at}`);
  } catch (fault) {
    if (fault instanceof NotJson) return refuse(`not JSON: ${fault.message} at byte ${reader.at}`);
    throw fault;
  }
}

/** Of a string, without its escapes; the caller wipes it. Null where one is not what RFC 8259 knows. */
export function stringBytes(bytes: Uint8Array, { from, to }: Extract<JsonNode, { kind: 'string' }>): Buffer {
  const room = wipeable(to - from);
  let length = 0;
  for (let at = from; at < to; at += 1) {
    let byte = bytes[at]!;
    if (byte === 0x5c) {
      at += 1;
      const letter = String.fromCharCode(bytes[at]!);
      if (letter === 'u') {
        const code = Number.parseInt(ascii(bytes, at + 1, at + 5), 16);
        byte = code < 0x80 ? code : NO_ASCII;
        at += 4;
      } else byte = ESCAPES[letter]!;
    }
    room[length++] = byte;
  }
  return room.subarray(0, length);
}

class NotJson extends Error {}
type Reader = { readonly bytes: Uint8Array; at: number; nodes: number };

function readNode(reader: Reader, depth: number): JsonNode {
  skipSpace(reader);
  reader.nodes += 1;
  if (reader.nodes > MOST_NODES || depth > MOST_DEPTH) throw new NotJson('too much of it');
  const byte = reader.bytes[reader.at];
  switch (byte) {
    case 0x7b:
      return readObject(reader, depth);
    case 0x5b:
      return readArray(reader, depth);
    case 0x22:
      return readString(reader);
    case undefined:
      throw new NotJson('it ends too early');
    default:
      return readPlain(reader);
  }
}

function readObject(reader: Reader, depth: number): JsonNode {
  const members = new Map<string, JsonNode>();
  reader.at += 1;
  if (taken(reader, 0x7d)) return { kind: 'object', members };
  do {
    skipSpace(reader);
    if (reader.bytes[reader.at] !== 0x22) throw new NotJson('a name is missing');
    const name = readString(reader);
    if (name.to - name.from > MOST_KEY) throw new NotJson('a name is too long');
    const key = stringBytes(reader.bytes, name).toString('latin1');
    // Two readers of one text would see two answers.
    if (members.has(key)) throw new NotJson('a name stands there twice');
    if (!taken(reader, 0x3a)) throw new NotJson('a colon is missing');
    members.set(key, readNode(reader, depth + 1));
  } while (taken(reader, 0x2c));
  if (!taken(reader, 0x7d)) throw new NotJson('an object does not end');
  return { kind: 'object', members };
}

function readArray(reader: Reader, depth: number): JsonNode {
  reader.at += 1;
  if (taken(reader, 0x5d)) return { kind: 'array' };
  do readNode(reader, depth + 1);
  while (taken(reader, 0x2c));
  if (!taken(reader, 0x5d)) throw new NotJson('a list does not end');
  return { kind: 'array' };
}

function readString(reader: Reader): Extract<JsonNode, { kind: 'string' }> {
  const { bytes } = reader;
  const from = reader.at + 1;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === 0x22) {
      reader.at = at + 1;
      return { kind: 'string', from, to: at };
    }
    if (byte < 0x20) throw new NotJson('a control character');
    if (byte !== 0x5c) continue;
    at += 1;
    const letter = String.fromCharCode(bytes[at] ?? 0);
    if (letter === 'u') {
      if (!HEX.test(ascii(bytes, at + 1, at + 5))) throw new NotJson('an escape that there is not');
      at += 4;
    } else if (!Object.hasOwn(ESCAPES, letter)) throw new NotJson('an escape that there is not');
  }
  throw new NotJson('a string does not end');
}

function readPlain(reader: Reader): JsonNode {
  const { bytes, at } = reader;
  let end = at;
  while (end < bytes.length && end - at <= 64 && /[A-Za-z0-9+.-]/.test(String.fromCharCode(bytes[end]!))) end += 1;
  const text = ascii(bytes, at, end);
  const word = WORDS.find(([known]) => known === text);
  if (word === undefined && !NUMBER.test(text)) throw new NotJson('no value');
  reader.at = end;
  return word === undefined ? { kind: 'number', value: Number(text) } : { kind: 'word', value: word[1] };
}

function taken(reader: Reader, byte: number): boolean {
  skipSpace(reader);
  if (reader.bytes[reader.at] !== byte) return false;
  reader.at += 1;
  return true;
}

function skipSpace(reader: Reader): void {
  while ([0x20, 0x09, 0x0a, 0x0d].includes(reader.bytes[reader.at] ?? 0)) reader.at += 1;
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}
