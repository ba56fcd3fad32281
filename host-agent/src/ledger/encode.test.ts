// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, canonicalText } from './encode.ts';
import type { JsonValue } from './entry.ts';
import { readCanonical } from './read-canonical.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 2000);

describe('RFC 8785', () => {
  test.each<[string, JsonValue, string]>([
    ['3.2.1 no space between tokens', { a: [1, { b: null }], c: true }, '{"a":[1,{"b":null}],"c":true}'],
    ['3.2.2.2 the two-letter escapes', '\b\t\n\f\r"\\', '"\\b\\t\\n\\f\\r\\"\\\\"'],
    ['3.2.2.2 other control characters in lower-case hex', '\u0000\u000f\u001f', '"\\u0000\\u000f\\u001f"'],
    ['3.2.2.2 nothing else is escaped', '/\u007f\u0080\u2028\u20ac\u{1f600}', '"/\u007f\u0080\u2028\u20ac\u{1f600}"'],
    ['3.2.2.3 integers', [0, 1, -1, 1e3, 9007199254740991, -9007199254740991], '[0,1,-1,1000,9007199254740991,-9007199254740991]'],
    ['3.2.3 keys by UTF-16 code units', { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 },
      '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}'],
    ['3.2.3 keys that look like numbers are text', { '10': 1, '9': 2, '': 3 }, '{"":3,"10":1,"9":2}'],
    ['3.2.3 inside arrays too, whose order stays', [{ b: 1, a: 2 }, 'z', 'a'], '[{"a":2,"b":1},"z","a"]'],
    ['no normalisation of Unicode', ['\u00e9', 'e\u0301'], '["\u00e9","e\u0301"]'],
    ['empty values', [{}, [], ''], '[{},[],""]'],
  ])('%s', (_rule, value, expected) => {
    expect(canonicalText(value)).toBe(expected);
    expect(canonicalJson(value)).toEqual(new TextEncoder().encode(expected));
  });

  test('a key named __proto__ is a key like any other', () => {
    expect(canonicalText(JSON.parse('{"b":1,"__proto__":{"x":1}}'))).toBe('{"__proto__":{"x":1},"b":1}');
  });

  test('objects without a prototype are written', () => {
    expect(canonicalText(Object.assign(Object.create(null), { b: 1, a: 2 }))).toBe('{"a":2,"b":1}');
  });
});

describe('what has no single spelling is refused, with the place', () => {
  const deep = (levels: number): JsonValue => (levels === 0 ? null : [deep(levels - 1)]);

  test.each<[string, unknown, string]>([
    ['a fraction', { a: { b: 1.5 } }, 'cannot encode $.a.b: a number must be an integer'],
    ['beyond 2^53-1, where two integers read as one', [9007199254740992], '$[0]: a number must be an integer'],
    ['NaN', NaN, '$: a number must be an integer'],
    ['infinity', [-Infinity], '$[0]: a number must be an integer'],
    ['minus zero', [-0], '$[0]: minus zero'],
    ['half of a surrogate pair', ['a\ud800'], '$[0]: the string holds half of a surrogate pair'],
    ['half of one in a key', { '\udc00': 1 }, 'half of a surrogate pair'],
    ['undefined', { a: undefined }, '$.a: JSON has no undefined'],
    ['a hole in an array', [1, , 2], '$[1]: JSON has no undefined'],
    ['a bigint', 1n, '$: JSON has no bigint'],
    ['a date', new Date(0), '$: only plain objects'],
    ['bytes', new Uint8Array(1), '$: only plain objects'],
    ['an object that would print itself', Object.assign(Object.create({ toJSON: () => 'x' }), { a: 1 }), 'only plain objects'],
    ['too deep', deep(130), 'it nests deeper than 128'],
  ])('%s', (_what, value, message) => {
    expect(() => canonicalText(value as JsonValue)).toThrow(message);
  });

  test('128 levels are written', () => {
    expect(canonicalText(deep(128))).toHaveLength(128 * 2 + 4);
  });
});

// Values that a careless encoding would mix up: separators, look-alikes, numbers as text, keys in other orders.
const nasty = fc.constantFrom(
  'a', 'b', 'a|b', 'a,b', 'a"', '"', '\\', '\\"', ':', '{', '}', '[]', '1', '1.0', '-0', 'null', '', ' ', '\n', '\u0000',
  'é', 'e\u0301', '\u{1f600}', '\uff5b', '__proto__', 'K', '\u212a',
);
const scalar: fc.Arbitrary<JsonValue> = fc.oneof(
  nasty,
  fc.integer({ min: -3, max: 12 }),
  fc.maxSafeInteger().map((n) => n || 0),
  fc.boolean(),
  fc.constant(null),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
);
const anyValue: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(nasty, tie('value'), { maxKeys: 3 }),
  ),
})).value;

/** Equality by walking both values: shares nothing with the encoder. */
function same(a: JsonValue, b: JsonValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, at) => same(item, b[at]));
  }
  const left = new Map(Object.entries(a));
  const right = new Map(Object.entries(b));
  return left.size === right.size && [...left].every(([key, value]) => right.has(key) && same(value, right.get(key)!));
}

function shuffled(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).reverse().map(([key, inner]) => [key, shuffled(inner)]));
}

describe('E08: no two different values have equal bytes', () => {
  test('two values have equal bytes exactly when they are equal', () => {
    fc.assert(fc.property(anyValue, anyValue, (a, b) => {
      expect(canonicalText(a) === canonicalText(b)).toBe(same(a, b));
    }), { numRuns: COUNT });
  });

  test('the bytes read back as the value, and the order of keys is not seen', () => {
    fc.assert(fc.property(anyValue, (value) => {
      expect(same(readCanonical(canonicalText(value)), value)).toBe(true);
      expect(canonicalText(shuffled(value))).toBe(canonicalText(value));
    }), { numRuns: COUNT });
  });
});
