// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lineDiff } from './line-diff.ts';

const shown = (before: string, after: string): string => lineDiff(before, after).map(({ mark, text }) => mark + text).join('|');

test('shows what changed with some lines around it', () => {
  const many = Array.from({ length: 20 }, (_, i) => `l${i}`);
  const text = many.join('\n');
  expect(shown(`${text}\n`, `${text.replace('l10', 'new')}\n`)).toBe('@line 8, now 8| l7| l8| l9|-l10|+new| l11| l12| l13');
  expect(shown('', 'a\n')).toBe('@line 1, now 1|+a');
  expect(shown('a\n', '')).toBe('@line 1, now 1|-a');
  expect(shown('a\n', 'a')).toBe('@line 1, now 1|-a|+a (no newline at the end)');
  expect(shown('same\n', 'same\n')).toBe('');
});

test('says of any two texts what makes the second of the first', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 }).map((lines) => lines.map((line) => `${line}\n`).join(''));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = lineDiff(before, after);
      const gone = lines.filter(({ mark }) => mark === '-').length;
      const come = lines.filter(({ mark }) => mark === '+').length;
      expect(come - gone).toBe(after.split('\n').length - before.split('\n').length);
      // With few lines everything is near a change.
      if (lines.length > 0 && before.split('\n').length < 5 && after.split('\n').length < 5) {
        const now = lines.filter(({ mark }) => mark === ' ' || mark === '+').map((line) => `${line.text}\n`).join('');
        expect(now).toBe(after);
      }
    }),
  );
});

test('two long texts with nothing in common end in time', () => {
  const text = (word: string): string => Array.from({ length: 3000 }, (_, i) => `${word}${i}\n`).join('');
  expect(lineDiff(text('a'), text('b'))).toHaveLength(6001);
});
