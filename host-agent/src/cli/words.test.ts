// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quoted } from './grant.ts';
import { shellWords } from './shell-words.ts';
import { splitWords } from './words.ts';

test.each([
  ['holdfast log -n 5', ['holdfast', 'log', '-n', '5']],
  ['  a\t b\n', ['a', 'b']],
  ["grant demo 'fs:read:/var/log/**' --reason 'it''s'", ['grant', 'demo', 'fs:read:/var/log/**', '--reason', 'its']],
  ['a"b c"d', ['ab cd']],
  ['"a\\"b" "c\\\\d" "e\\f"', ['a"b', 'c\\d', 'e\\f']],
  ['a\\ b', ['a b']],
  ["'' \"\"", ['', '']],
  ['', []],
])('%j is split into %j', (line, words) => {
  expect(splitWords(line)).toEqual({ ok: true, value: words });
});

test('nothing is expanded: what another shell would act on stays text', () => {
  const line = 'log $HOME `id` $(id) ~ *.ts a;b a|b a&b >x <y {a,b} !1 #c';
  expect(splitWords(line)).toEqual({ ok: true, value: line.split(' ') });
});

test.each([
  ["a 'b", "cannot read the command: a ' is never closed"],
  ['a "b', 'cannot read the command: a " is never closed'],
  ['a "b\\"', 'cannot read the command: a " is never closed'],
  ['a\\', 'cannot read the command: it ends in a backslash'],
])('%j is refused', (line, error) => {
  expect(splitWords(line)).toEqual({ ok: false, error });
});

test('ssh hands over holdfast commands only; a prompt may leave the word out', () => {
  expect(shellWords('/usr/bin/holdfast status', 'ssh')).toEqual({ ok: true, value: ['status'] });
  expect(shellWords('holdfast', 'ssh')).toEqual({ ok: true, value: [] });
  expect(shellWords('status', 'prompt')).toEqual({ ok: true, value: ['status'] });
  for (const line of ['ls', 'status', '/bin/sh -c holdfast', './holdfast status', 'sh;holdfast', '', 'holdfast;sh', 'internal-sftp']) {
    expect(shellWords(line, 'ssh')).toMatchObject({ ok: false, error: expect.stringContaining('only holdfast can be run here') });
  }
});

test('a word that was quoted for pasting is read back as itself', () => {
  fc.assert(
    fc.property(fc.string(), (word) => {
      expect(splitWords(quoted(word))).toEqual({ ok: true, value: [word] });
    }),
    { numRuns: Number(process.env['HOLDFAST_COUNT'] ?? 2_000) },
  );
});
