// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapedJson, escapeText } from './escape.ts';
import { columns, screenOn, styled } from './screen.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 2_000);
/** Any string at all: lone surrogates, control and format characters often. */
const anyText = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
    fc.integer({ min: 0, max: 0x9f }).map((unit) => String.fromCharCode(unit)),
    fc.constantFrom('\x1b]52;c;', '\x9b31m', '‮', '​', '﻿', '\\', '\x1b[2J', '🙂', 'е'),
  ),
});

test('plain text is shown as it is', () => {
  expect(escapeText("fs.read {'path':'/etc/hosts'} 100% ~")).toBe("fs.read {'path':'/etc/hosts'} 100% ~");
});

test.each([
  ['\x1b[2J', '\\x1b[2J'],
  ['\x9b31m', '\\x9b31m'],
  ['a\nb\tc\r', 'a\\x0ab\\x09c\\x0d'],
  ['\x7f', '\\x7f'],
  ['abc‮fdp', 'abc\\u{202e}fdp'],
  ['a​b', 'a\\u{200b}b'],
  ['fs.rеad', 'fs.r\\u{435}ad'],
  ['🙂', '\\u{1f642}'],
  ['\ud800', '\\u{d800}'],
  ['C:\\x1b', 'C:\\\\x1b'],
])('%j is shown as %s', (written, shown) => {
  expect(escapeText(written)).toBe(shown);
});

test('whatever was written, only printable ASCII comes out, and no two texts look alike (B18)', () => {
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      expect(escapeText(a)).toMatch(/^[\x20-\x7e]*$/);
      if (a !== b) expect(escapeText(a)).not.toBe(escapeText(b));
    }),
    { numRuns: COUNT },
  );
});

test('JSON for programs is printable ASCII and means the same', () => {
  fc.assert(
    fc.property(fc.array(anyText), (value) => {
      expect(escapedJson(value)).toMatch(/^[\x20-\x7e]*$/);
      expect(JSON.parse(escapedJson(value))).toEqual(value);
    }),
    { numRuns: COUNT },
  );
});

test('no command can write past the escaping: what reaches the terminal is printable ASCII, newlines and our own colours', () => {
  fc.assert(
    fc.property(anyText, anyText, fc.boolean(), (a, b, colour) => {
      let written = '';
      const screen = screenOn({ out: (text) => (written += text), err: (text) => (written += text) }, { out: colour, err: colour });
      screen.line(a, styled(b, 'red'));
      screen.complain(styled(a, 'bold'), b);
      screen.json({ a, b });
      for (const line of columns([[a, b], [b, a]])) screen.line(line);
      const bare = written.replace(/\x1b\[(?:0|1|2|31|32|33)m/g, '');
      expect(bare).toMatch(/^[\x20-\x7e\n]*$/);
      expect(bare.split('\n')).toHaveLength(6);
      if (!colour) expect(written).toBe(bare);
    }),
    { numRuns: COUNT },
  );
});
