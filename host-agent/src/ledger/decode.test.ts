// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { exampleChain } from './testdata/example-chain.ts';
import { decodeEntry } from './decode.ts';
import { canonicalJson } from './encode.ts';
import type { JsonValue } from './entry.ts';

const [first, second] = exampleChain(2);
const text = new TextDecoder().decode(second!.bytes);
const bytesOf = (spelling: string): Uint8Array => new TextEncoder().encode(spelling);
const changed = (fields: Record<string, JsonValue>): Uint8Array => canonicalJson({ ...second!.entry, ...fields });

test('what the chain wrote is read back', () => {
  expect(decodeEntry(first!.bytes)).toEqual({ ok: true, value: first!.entry });
  expect(decodeEntry(bytesOf(text))).toEqual({ ok: true, value: second!.entry });
});

describe('one value has one spelling (E08)', () => {
  test.each<[string, Uint8Array]>([
    ['a space', bytesOf(text.replace(':', ': '))],
    ['another order of keys', bytesOf(`{"v":1,${text.slice(1).replace(',"v":1', '')}`)],
    ['a duplicate key', bytesOf(text.replace('"v":1', '"v":1,"v":1'))],
    ['1.0 for 1', bytesOf(text.replace('"v":1', '"v":1.0'))],
    ['1e0 for 1', bytesOf(text.replace('"v":1', '"v":1e0'))],
    ['an escape more than needed', bytesOf(text.replace('naïve', 'na\\u00efve'))],
    ['an escaped slash', bytesOf(text.replace('fs.read', 'fs\\/read'))],
    ['a byte order mark', bytesOf(`\ufeff${text}`)],
    ['a newline after it', bytesOf(`${text}\n`)],
    ['bytes that are not UTF-8', new Uint8Array([...second!.bytes.slice(0, -2), 0xff, 0x7d])],
    ['an overlong form', bytesOf(text).map((byte) => (byte === 0xc3 ? 0xc0 : byte))],
    ['a second value', bytesOf(text + text)],
    ['nothing', new Uint8Array()],
    ['a deep nest', bytesOf('['.repeat(100_000))],
  ])('%s is refused', (_what, bytes) => {
    expect(bytes).not.toEqual(second!.bytes);
    expect(decodeEntry(bytes)).toMatchObject({ ok: false });
  });
});

test('keys that JSON.parse would confuse are read as they are (nodejs/node#63785)', () => {
  const entryWith = (key: string): Uint8Array => changed({ data: { ' ': 1, [key]: 2 } });
  for (const key of ['\\', '"', '\n', '\u0000', '\\', '"']) {
    const decoded = decodeEntry(entryWith(key));
    expect(decoded.ok && Object.keys(decoded.value.data)).toEqual([' ', key].sort());
  }
});

describe('only what an entry says', () => {
  test.each<[string, Uint8Array, string]>([
    ['a field more', changed({ extra: 1 }), 'the field "extra" is unknown'],
    ['another version', changed({ v: 2 }), 'the version'],
    ['no sequence', changed({ seq: 0 }), 'seq'],
    ['a kind nobody knows', changed({ kind: 'call.maybe' }), 'the kind'],
    ['an actor of another type', changed({ actor: { type: 'root', id: 'x' } }), 'actor.type'],
    ['an actor with more to say', changed({ actor: { type: 'user', id: 'x', roles: [] } }), 'actor'],
    ['a trace in capitals', changed({ trace: 'A'.repeat(32) }), 'trace'],
    ['a trace of zeros', changed({ trace: '0'.repeat(32) }), 'trace'],
    ['a day that does not exist', changed({ time: '2030-02-30T00:00:00.000Z' }), 'time'],
    ['a time with an offset', changed({ time: '2030-02-20T00:00:00.000+00:00' }), 'time'],
    ['a UUID of another version', changed({ id: '00000000-0000-4000-8000-000000000000' }), 'UUIDv7'],
    ['a short hash', changed({ prev: 'ab' }), 'prev'],
    ['a source with a separator', changed({ source: 'a|b' }), 'source'],
    ['data that is a list', changed({ data: [] }), 'data'],
  ])('%s is refused', (_what, bytes, why) => {
    const result = decodeEntry(bytes);
    expect(result).toMatchObject({ ok: false, error: expect.stringContaining(why) });
  });

  test.each(Object.keys(second!.entry))('without %s it is refused', (field) => {
    const rest = Object.fromEntries(Object.entries(second!.entry).filter(([name]) => name !== field));
    expect(decodeEntry(canonicalJson(rest))).toEqual({ ok: false, error: `the field ${field} is missing` });
  });
});
