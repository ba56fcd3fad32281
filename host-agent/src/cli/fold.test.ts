// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeText } from './escape.ts';
import { foldRows } from './fold.ts';
import { screenOn, styled } from './screen.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 1_000);
const folded = (line: string, width: number): string[] => foldRows(line, width).map(({ indent, from, to }) => indent + line.slice(from, to));

test('a line that fits stays as it is; a longer one goes on further in, between words when it can', () => {
  expect(folded('', 80)).toEqual(['']);
  expect(folded('x'.repeat(80), 80)).toEqual(['x'.repeat(80)]);
  expect(folded('  why: the report needs it', 24)).toEqual(['  why: the report needs ', '      it']);
  expect(folded('x'.repeat(50), 30)).toEqual(['x'.repeat(30), `    ${'x'.repeat(20)}`]);
});

test('whatever an agent writes, no row is wider than the screen, none but the first begins at column 0, and nothing is lost (B18)', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\x1b', '\u202e', 'to give it: '), maxLength: 200 });
  fc.assert(
    fc.property(text, text, fc.integer({ min: 24, max: 120 }), fc.boolean(), (a, b, width, colour) => {
      let written = '';
      const out = (more: string): void => void (written += more);
      const screen = screenOn({ out, err: out }, { out: colour, err: colour }, { out: width, err: width });
      for (const show of [screen.line, screen.told, screen.complain]) {
        written = '';
        show('> ', styled(a, 'bold'), b);
        const bare = written.replace(/\x1b\[[01]m/g, '').split('\n').slice(0, -1);
        expect(Math.max(...bare.map((row) => row.length))).toBeLessThanOrEqual(width);
        for (const row of bare.slice(1)) expect(row.startsWith('    ')).toBe(true);
        expect(bare.map((row, n) => (n === 0 ? row : row.slice(4))).join('')).toBe(`> ${escapeText(a)}${escapeText(b)}`);
        if (colour) for (const row of written.split('\n').slice(1)) expect(row === '' || row.startsWith('    ')).toBe(true);
      }
    }),
    { numRuns: COUNT },
  );
});

test('without a terminal lines stay whole, and what an agent told is folded all the same', () => {
  const rows: string[] = [];
  const screen = screenOn({ out: (text) => rows.push(text), err: () => {} }, { out: false, err: false });
  screen.line('x'.repeat(100));
  screen.command('x'.repeat(100));
  screen.told('x'.repeat(100));
  expect(rows).toEqual([`${'x'.repeat(100)}\n`, `${'x'.repeat(100)}\n`, `${'x'.repeat(80)}\n    ${'x'.repeat(20)}\n`]);
});
