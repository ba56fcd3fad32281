// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { formsOf } from './forms.ts';

test.each([['short', 'abcd1234'], ['with spaces', 'key of mine: 0123'], ['long', 'x1'.repeat(100)]])('a secret that is %s: each form has its memory to itself, so that wiping it wipes the only copy', (_what, text) => {
  const secret = new TextEncoder().encode(text);
  const [own, ...made] = formsOf(secret);
  expect(own).toBe(secret);
  expect(made.length).toBeGreaterThan(8);
  // The control: what is made the usual way lies in a buffer that others share, or in V8's own heap, from where it moves.
  expect(Buffer.from(text).buffer.byteLength).toBeGreaterThan(text.length);
  for (const form of made) expect([form.byteOffset, form.buffer.byteLength]).toEqual([0, form.length]);
});

test('the form without white space is there only where that is another one', () => {
  const texts = (secret: string): readonly string[] => formsOf(Buffer.from(secret)).map((form) => Buffer.from(form).toString());
  expect(texts('a b c d e f g h')).toContain('abcdefgh');
  expect(texts('a b c d e f g')).not.toContain('abcdefg');
  expect(texts('abcdefgh').filter((text) => text === 'abcdefgh')).toHaveLength(1);
});
