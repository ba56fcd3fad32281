// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { keysLine, PART_MAX, parseKeys, parseShellSaid, shownLine } from './shell-wire.ts';

const hello = new TextEncoder().encode('hello\x1b');

test('keys and what is shown arrive as they were', () => {
  expect(parseKeys(keysLine(1, hello))).toEqual(hello);
  expect(parseShellSaid(shownLine(1, hello), 1)).toEqual({ shown: hello });
  expect(parseShellSaid({ id: 1, taken: 6 }, 1)).toEqual({ taken: 6 });
  expect(parseShellSaid({ id: 1, ok: false, error: 'busy', message: 'wait' }, 1)).toEqual({ ended: { ok: false, error: 'busy: wait' } });
});

describe('a line of a runner that is none', () => {
  test.each([
    ['of another call', { id: 2, taken: 1 }],
    ['no object', [1]],
    ['nothing', { id: 1 }],
    ['no number', { id: 1, taken: '1' }],
    ['less than nothing', { id: 1, taken: -1 }],
    ['no base64', { id: 1, shown: 'a b' }],
    ['empty', { id: 1, shown: '' }],
    ['too long', { id: 1, shown: Buffer.alloc(PART_MAX + 1).toString('base64') }],
    ['no end', { id: 1, ok: true, result: {} }],
  ])('%s', (_, value) => {
    expect(parseShellSaid(value, 1)).toBe(null);
  });
});

test.each([[undefined], [null], [''], ['a b'], [Buffer.alloc(PART_MAX + 1).toString('base64')]])('%j is no keys', (data) => {
  expect(parseKeys(data === undefined ? {} : { data })).toBe(null);
});
