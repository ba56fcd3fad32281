// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from './strict-json.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 2000);

/** Every key and value, without regard to prototypes. */
function plain(text: string): unknown {
  return JSON.parse(text);
}

describe('what is JSON is read as JSON.parse reads it', () => {
  test('on generated values, in compact and in indented form', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        fc.pre(!text.includes('__proto__') && text.isWellFormed() && !/\\ud[89a-f]/i.test(text));
        const read = parseStrictJson(text);
        const unsafe = /[0-9]{16}|e\+/.test(text);
        if (!read.ok && unsafe) return;
        expect(read.ok).toBe(true);
        if (read.ok) expect(JSON.stringify(read.value)).toBe(JSON.stringify(plain(text)));
      }),
      { numRuns: COUNT },
    );
  });

  test('on arbitrary text: whatever we accept, JSON.parse accepts with the same meaning', () => {
    const marks = ['{', '}', '[', ']', ',', ':', '"', '\\', ' ', '\n', '\u0001'];
    const pieces = fc.constantFrom(...marks, '"a"', '"b":', '1', '-', '0', '.5', 'e3', 'null', 'true', '\\u00', 'd8');
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        const read = parseStrictJson(text);
        if (!read.ok) return;
        accepted += 1;
        expect(JSON.stringify(read.value)).toBe(JSON.stringify(plain(text)));
      }),
      { numRuns: COUNT * 5 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  test.each([
    ['"\\u0041\\n\\/\\"\\\\\\b\\f\\r\\t"', 'A\n/"\\\b\f\r\t'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\\u0000"', '\0'],
    [' [ 1 , -2.5e-3 ] ', [1, -0.0025]],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['-0', 0],
    ['-0.0e5', 0],
    ['""', ''],
  ])('%s', (text, value) => {
    const read = parseStrictJson(text);
    expect(read).toStrictEqual({ ok: true, value });
  });

  test('objects have no prototype, so "constructor" and "prototype" are only names (A22)', () => {
    const read = parseStrictJson('{"constructor":{"prototype":{"isAdmin":true}},"hasOwnProperty":1}');
    expect(read.ok && Object.getPrototypeOf(read.value)).toBe(null);
    expect(({} as Record<string, unknown>)['isAdmin']).toBe(undefined);
  });
});

describe('what two readers could read differently is refused', () => {
  test.each([
    ['{"a":1,"a":2}', 'the key "a" twice'],
    ['{"a":1,"\\u0061":2}', 'the key "a" twice'],
    ['{"__proto__":{"isAdmin":true}}', '"__proto__" is not accepted'],
    ['{"a":{"\\u005f_proto__":1}}', '"__proto__" is not accepted'],
    ['"\\ud800"', 'lone surrogate'],
    ['"\\udc00\\ud800"', 'lone surrogate'],
    ['{"\\ud800":1}', 'lone surrogate'],
    ['"\ud800"', 'lone surrogate'],
    ['9007199254740992', '2^53'],
    ['-9007199254740993', '2^53'],
    ['1e300', '2^53'],
    ['1e309', 'too large'],
    ['"\u0001"', 'control character'],
    ['"a\nb"', 'control character'],
    ['', 'ends too early'],
    ['{', 'without quotes'],
    ['[1,]', 'no value'],
    ['{"a":1,}', 'without quotes'],
    ["{'a':1}", 'without quotes'],
    ['[1 2]', 'without "," or "]"'],
    ['{"a" 1}', 'without ":"'],
    ['{"a":1 "b":2}', 'without "," or "}"'],
    ['01', 'text after the value'],
    ['+1', 'no value'],
    ['.5', 'no value'],
    ['1.', 'text after the value'],
    ['0x10', 'text after the value'],
    ['NaN', 'no value'],
    ['Infinity', 'no value'],
    ['nul', 'unknown word'],
    ['nulll', 'text after the value'],
    ['"\\x41"', 'broken escape'],
    ['"\\u00g0"', 'broken escape'],
    ['"\\u 123"', 'broken escape'],
    ['"\\u12', 'broken escape'],
    ['"\\', 'broken escape'],
    ['"abc', 'without end'],
    ['[1] [2]', 'text after the value'],
    ['[1]//x', 'text after the value'],
    ['\ufeff1', 'no value'],
    ['\u00a01', 'no value'],
  ])('%j', (text, why) => {
    const read = parseStrictJson(text);
    expect(read).toStrictEqual({ ok: false, error: expect.stringContaining(why) });
  });
});

describe('size and depth end the reading early, in under 50 ms (B05, B06)', () => {
  const MIB = 1_048_576;
  test.each([
    ['32 deep is read', '['.repeat(32) + ']'.repeat(32), null],
    ['33 deep', '['.repeat(33) + ']'.repeat(33), 'deeper than 32'],
    ['10 000 deep', '['.repeat(10_000), 'deeper than 32'],
    ['1 000 000 deep', '['.repeat(1_000_000), 'deeper than 32'],
    ['1 000 000 deep in objects', '{"a":'.repeat(1_000_000), 'deeper than 32'],
    ['10 000 keys are read', `{${Array.from({ length: 10_000 }, (_, i) => `"k${i}":0`).join()}}`, null],
    ['1 000 000 keys', `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}":0`).join()}}`, 'more than 10000 keys'],
    ['keys of many objects count together', `[${'{"a":1,"b":1},'.repeat(5_001)}1]`, 'more than 10000 keys'],
    ['20 000 values are read', `[${'0,'.repeat(19_998)}0]`, null],
    ['20 001 values', `[${'0,'.repeat(19_999)}0]`, 'more than 20000 values'],
    ['1 MiB of arrays in arrays', `[${'[[0]],'.repeat(174_000)}0]`, 'more than 20000 values'],
    ['1 MiB of empty objects', `[${'{},'.repeat(349_000)}0]`, 'more than 20000 values'],
    ['values of members count too', `{"a":[${'0,'.repeat(10_000)}0],"b":[${'0,'.repeat(10_000)}0]}`, 'more than 20000 values'],
    ['a key of 1 000 000 characters', `{"${'k'.repeat(1_000_000)}":1}`, 'longer than 1024'],
    ['10 MB of \\u escapes', `"${'\\u0061'.repeat(1_747_627)}"`, 'longer than 1048576'],
    ['10 MB of letters', `"${'a'.repeat(10 * MIB)}"`, 'longer than 1048576'],
    ['1 MiB of letters is read', `"${'a'.repeat(MIB)}"`, null],
    ['1 MiB of escapes is read', `"${'\\n'.repeat(MIB / 2 - 1)}"`, null],
    ['1 MiB of digits', '1'.repeat(MIB), 'too large'],
    ['1 MiB of zeros behind the point', `0.${'0'.repeat(MIB)}`, null],
    ['1 MiB of spaces', ' '.repeat(MIB), 'ends too early'],
  ])('%s', (_, rope, why) => {
    // From bytes, as it comes from a socket; in the thread's own time, as the machine may be busy with other things.
    const text = Buffer.from(rope).toString();
    let best = Infinity;
    for (let run = 0; run < 3; run += 1) {
      const start = process.threadCpuUsage();
      const read = parseStrictJson(text);
      const { user, system } = process.threadCpuUsage(start);
      best = Math.min(best, (user + system) / 1000);
      if (why === null) expect(read.ok).toBe(true);
      else expect(read).toStrictEqual({ ok: false, error: expect.stringContaining(why) });
    }
    expect(best).toBeLessThan(50);
  });

  test('a caller cannot ask for a depth that would exhaust the stack', () => {
    const read = parseStrictJson('['.repeat(1_000_000), { maxDepth: 10_000_000 });
    expect(read).toStrictEqual({ ok: false, error: expect.stringContaining('deeper than 256') });
  });

  test('a caller may set how many values a text can have', () => {
    expect(parseStrictJson('[1,2]', { maxValues: 3 }).ok).toBe(true);
    expect(parseStrictJson('[1,2,3]', { maxValues: 3 })).toStrictEqual({
      ok: false,
      error: 'not JSON: more than 3 values at character 5',
    });
  });
});
