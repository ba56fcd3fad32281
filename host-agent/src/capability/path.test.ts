// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isNormalPath, normalisePath } from './path.ts';

test.each([
  ['/', '/'],
  ['//', '/'],
  ['/a/b', '/a/b'],
  ['/a/b/', '/a/b'],
  ['/a/./b', '/a/b'],
  ['/a//b', '/a/b'],
  ['/a/..', '/'],
  ['/..', '/'],
  ['/../../a', '/a'],
  ['/workspace/a/../../etc/shadow', '/etc/shadow'],
  ['/a/...', '/a/...'],
  ['/a/..b', '/a/..b'],
  ['/processes', '/processes'],
  ['/dev/fdx', '/dev/fdx'],
])('A02: %s is %s', (text, normal) => {
  expect(normalisePath(text)).toEqual({ ok: true, value: normal });
});

test.each([
  ['workspace/a', 'absolute'],
  ['', 'absolute'],
  ['~/a', 'absolute'],
  ['/a\u0000/etc/shadow', 'NUL'], // A04: not cut off at the NUL
  ['/a\u001b', 'control'],
  ['/a\udfff', 'surrogate'],
  [`/${'a'.repeat(5000)}`, 'longer'],
  ['/proc/self/root/etc/shadow', '/proc'], // A12
  ['/proc/1/root', '/proc'],
  ['/proc', '/proc'],
  ['/workspace/../proc/self/fd/3', '/proc'],
  ['//proc/self/environ', '/proc'],
  ['/dev/fd/3', '/dev/fd'],
  ['/dev/stdin', '/dev/stdin'],
])('%j is refused: %s', (text, why) => {
  const path = normalisePath(text);
  expect(path.ok ? 'accepted' : path.error).toContain(why);
});

test('normalising twice changes nothing, and the normal form has no special segment', () => {
  const part = fc.constantFrom('a', 'b', '..', '.', '', '...', '*');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const path = normalisePath(`/${parts.join('/')}`);
      if (!path.ok) throw new Error(path.error);
      expect(isNormalPath(path.value)).toBe(true);
      expect(path.value === '/' || path.value.slice(1).split('/').every((s) => !['', '.', '..'].includes(s))).toBe(true);
    }),
  );
});
