// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readJsonBytes, stringBytes, type JsonNode } from './json-bytes.ts';

const read = (text: string): JsonNode | null => {
  const parsed = readJsonBytes(Buffer.from(text));
  return parsed.ok ? parsed.value : null;
};

describe('JSON of which no string is made', () => {
  test('takes what JSON.stringify writes, whatever it is, and knows its kinds', () => {
    const kindOf = (value: unknown): string => (value === null || typeof value === 'boolean' ? 'word' : Array.isArray(value) ? 'array' : typeof value);
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      // Names of an object may be one in their first 256 bytes alone.
      expect(read(JSON.stringify(value))?.kind).toBe(kindOf(JSON.parse(JSON.stringify(value))));
    }));
  });

  test('gives the bytes of a string of ASCII, escaped or not, and of none other', () => {
    fc.assert(fc.property(fc.string({ unit: fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCharCode(code)) }), fc.boolean(), (text, all) => {
      const written = all ? `"${[...text].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"` : JSON.stringify(text);
      const bytes = Buffer.from(written);
      const node = readJsonBytes(bytes);
      if (!node.ok || node.value.kind !== 'string') throw new Error('no string');
      expect(stringBytes(bytes, node.value).toString('latin1')).toBe(text);
    }));
    const bytes = Buffer.from('"\\u00e9\\ud83d\\ude00"');
    const node = readJsonBytes(bytes);
    if (!node.ok || node.value.kind !== 'string') throw new Error('no string');
    expect([...stringBytes(bytes, node.value)]).toEqual([0xff, 0xff, 0xff]);
  });

  test.each([
    '', ' ', '{', '}', '[', '[1,]', '{"a":1,}', '{"a"}', '{a:1}', '{"a":1 "b":2}', '{"a":1}{', '"', '"\\', '"\\x"', '"\\u12"', '"\\u12g4"', '"\n"', 'nul', 'True', '01', '1.', '.5', '+1', '1e', '--1', 'NaN', 'Infinity', '1 2', '{"a":1,"a":2}', "{'a':1}",
    '{"\\u0061":1,"a":2}', '['.repeat(100), `${'['.repeat(40)}${']'.repeat(40)}`, `[${'1,'.repeat(30_000)}1]`, `{"${'k'.repeat(300)}":1}`, '/* */1', '\ufeff1', '1\0',
  ])('refuses %j', (text) => {
    expect(read(text)).toBeNull();
  });

  test('never ends in a fault, and says nothing of what it read', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readJsonBytes(bytes)));
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('{', '}', '"', '\\', 'u', '0', ',', ':', '[', ']', ' ', 'e', '-', 'n', '/') }), (text) => {
      let known: unknown;
      try {
        known = JSON.parse(text);
      } catch {
        known = undefined;
      }
      if (known === undefined) expect(read(text)).toBeNull();
    }), { numRuns: 2_000 });
    expect(JSON.stringify(readJsonBytes(Buffer.from('{"data":{"key":"canary'))).includes('canary')).toBe(false);
  });
});
