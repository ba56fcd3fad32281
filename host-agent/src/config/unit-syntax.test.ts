// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { execLine, plainPath } from './unit-syntax.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 1000);

/** A slow reading of ExecStart= after systemd.service(5) and systemd.syntax(7), written apart from the writer. */
function systemdReads(line: string): readonly string[] {
  expect(line).not.toMatch(/[\n\r\0]/);
  expect(line.endsWith('\\')).toBe(false);
  const words: string[] = [];
  let at = 0;
  while (at < line.length) {
    while (line[at] === ' ') at += 1;
    if (at >= line.length) break;
    if (line[at] === ';' && (line[at + 1] === undefined || line[at + 1] === ' ')) throw new Error('a second command');
    let word = '';
    let quote = '';
    for (; at < line.length; at += 1) {
      const c = line[at]!;
      if (quote === '' && c === ' ') break;
      if (c === '\\') {
        at += 1;
        if (line[at] !== '\\' && line[at] !== '"') throw new Error(`escape ${line[at]}`);
        word += line[at];
      } else if (c === '"' && quote === '') quote = c;
      else if (c === quote) quote = '';
      else if (c === '%') {
        at += 1;
        if (line[at] !== '%') throw new Error(`specifier %${line[at]}`);
        word += '%';
      } else word += c;
    }
    if (quote !== '') throw new Error('open quote');
    words.push(word);
  }
  return words.map((word, i) => (i === 0 ? word : word.replaceAll(/\$(.?)/g, (_, next: string) => {
    if (next !== '$') throw new Error(`variable $${next}`);
    return '$';
  })));
}

test('ordinary words', () => {
  expect(execLine(['/usr/bin/python3', '-u', 'a b'])).toBe('/usr/bin/python3 "-u" "a b"');
});

test('words that mean something to systemd mean only themselves', () => {
  const words = ['/usr/bin/x', '%h', '$HOME', '${A}', '$$', ';', '', '"', "'", '\\', '\\x41', '@', '-', '+/bin/sh', '#', 'a\\', '%', 'ü'];
  expect(systemdReads(execLine(words))).toEqual(words);
});

test('property: systemd reads exactly the words', () => {
  const plain = (word: string): boolean => !/[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(word);
  const word = fc.oneof(fc.string({ maxLength: 12 }), fc.stringMatching(/^[\\"'$%; {}a]{0,10}$/)).filter(plain);
  fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (words) => {
    expect(systemdReads(execLine(['/usr/bin/x', ...words]))).toEqual(['/usr/bin/x', ...words]);
  }), { numRuns: COUNT });
});

test.each(['a\nb', 'a\rb', '\0', '\x1b[2J', '\u2028', '\ud800'])('the control character in %j cannot be written', (word) => {
  expect(() => execLine(['/usr/bin/x', word])).toThrow('cannot write a control character');
});

const PATHS = ['usr/bin/x', '+/usr/bin/x', '/usr/bin/x y', '/usr/%i', '/usr/$x', '/usr/../x', '/a:b', ''];
test.each(PATHS)('the path %j cannot be written', (path) => {
  expect(() => plainPath(path)).toThrow('cannot write the path');
});
