// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadYaml } from './strict-yaml.ts';
import { decodeText, MAX_FILE_BYTES } from './text-file.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 300);
const anything = z.unknown();

function problemsOf(text: string, schema: z.ZodType = anything): readonly string[] {
  const loaded = loadYaml('f.yaml', text, schema);
  return loaded.ok ? [] : loaded.problems.map(({ file, line, message }) => `${file}:${line}: ${message}`);
}

test('ordinary YAML is read, and a line is known for each of its parts', () => {
  const text = '# comment\n---\nname: demo\nlist:\n  - one\n  - {two: 2, three: "3"}\ntext: |\n  a: &b\n  *c !d\nnothing: ~\n...\n';
  const loaded = loadYaml('f.yaml', text, anything);
  expect(loaded.ok && loaded.value).toEqual({ name: 'demo', list: ['one', { two: 2, three: '3' }], text: 'a: &b\n*c !d\n', nothing: null });
  expect(loaded.ok && loaded.lineOf(['list', 1, 'two'])).toBe(6);
  expect(loaded.ok && loaded.lineOf(['text'])).toBe(7);
  expect(loaded.ok && loaded.lineOf(['list', 7])).toBe(4);
});

// Attack case A28, and the words of YAML that DESIGN §3 leaves out.
const REFUSED: readonly (readonly [string, string, string])[] = [
  ['an anchor', 'a: 1\nb: &x 2\n', 'f.yaml:2: an anchor (&) is not allowed; write the value where it is used'],
  ['an alias', 'a: 1\nb: *x\n', 'f.yaml:2: an alias (*) is not allowed; write the value out, or quote it if it is text'],
  ['a tag', 'a:\n  - !!binary aGk=\n', 'f.yaml:2: a tag (!) is not allowed; quote the value if it is text'],
  ['a directive', '%YAML 1.1\n---\na: yes\n', 'f.yaml:1: a directive (%) is not allowed; remove the line'],
  ['a merge key', 'a: 1\nb: {<<: {c: 1}}\n', 'f.yaml:2: a merge key (<<) is not allowed; write the keys out'],
  ['a duplicate key', 'a: 1\nb: 2\n"a": 3\n', 'f.yaml:3: the key "a" stands here a second time'],
  ['two documents', 'a: 1\n---\na: 2\n', 'f.yaml:2: a second YAML document; one file holds one document'],
  ['a document after an end mark', 'a: 1\n...\na: 2\n', 'f.yaml:3: a second YAML document; one file holds one document'],
  ['the prototype as a key', 'a: 1\n__proto__: {admin: true}\n', 'f.yaml:2: the key "__proto__" is not allowed'],
  ['a key that is no text', 'a: 1\n2: b\n', 'f.yaml:2: a key must be text; quote it'],
  ['a number too large', 'a: 9007199254740993\n', 'f.yaml:1: a number that cannot be kept exactly; quote it if it is text'],
  ['an infinite number', 'a: .inf\n', 'f.yaml:1: a number that cannot be kept exactly; quote it if it is text'],
  ['a tab', 'a:\n\t- b\n', 'f.yaml:2: a tab in the indentation; indent with spaces'],
  ['CRLF', 'a: 1\r\nb: 2\r\n', 'f.yaml:1: a carriage return; save the file with Unix line ends'],
  ['a byte order mark', '\uFEFFa: 1\n', 'f.yaml:1: the file begins with a byte order mark; save it as UTF-8 without one'],
  ['NUL', 'a: 1\nb: "\0"\n', 'f.yaml:2: the character U+0000 is not allowed; remove it'],
  ['an escape character', 'a: 1\n\nb: \x1b]52;c\n', 'f.yaml:3: the character U+001B is not allowed; remove it'],
  ['a lone surrogate', 'a: \ud800\n', 'f.yaml:1: the character U+D800 is not allowed; remove it'],
  ['nothing', '', 'f.yaml:1: the file holds nothing'],
  ['only a comment', '# a: 1\n', 'f.yaml:1: the file holds nothing'],
  ['a torn string', 'a: 1\nb: "half', 'f.yaml:2: not valid YAML: Missing closing "quote'],
  ['too many bytes', `a: ${'x'.repeat(MAX_FILE_BYTES)}\n`, 'f.yaml:1: the file is larger than 256 KiB; make it smaller'],
];

describe('refused with file and line', () => {
  test.each(REFUSED)('%s', (_, text, problem) => {
    expect(problemsOf(text)).toContain(problem);
  });
});

test('32 levels are read; 33 are refused, in flow and in block', () => {
  const flow = (n: number): string => `${'['.repeat(n)}${']'.repeat(n)}`;
  const block = (n: number): string => Array.from({ length: n }, (_, i) => `${' '.repeat(i)}a:\n`).join('') + `${' '.repeat(n)}1\n`;
  expect(problemsOf(flow(32))).toEqual([]);
  expect(problemsOf(flow(33))).toEqual(['f.yaml:1: nested deeper than 32 levels']);
  expect(problemsOf(block(31))).toEqual([]);
  expect(problemsOf(block(32))).toEqual(['f.yaml:33: nested deeper than 32 levels']);
});

test.each(['- ', '[', '{a: ', '? ', ': ', 'a: 1\n', '[1],', ',', '\n', '&a [*a,', '"\\u0041', "''"])(
  'a quarter of a megabyte of %j is answered within a second and without a fault',
  (unit) => {
    const before = performance.now();
    loadYaml('f.yaml', unit.repeat(Math.floor((MAX_FILE_BYTES - 10) / unit.length)), anything);
    expect(performance.now() - before).toBeLessThan(1000);
  },
);

test('the value has no prototype to reach (A22)', () => {
  const loaded = loadYaml('f.yaml', 'constructor: {prototype: {admin: true}}\n', anything);
  expect(loaded.ok && Object.getPrototypeOf(loaded.value)).toBe(null);
  expect(({} as { admin?: unknown }).admin).toBe(undefined);
});

test('what a schema refuses is told in words, each at its own line', () => {
  const start = z.enum(['boot', 'manual']);
  const schema = z.strictObject({ name: z.string(), start, in: z.strictObject({ n: z.int() }), list: z.array(z.string()) });
  expect(problemsOf('name: [x]\nin:\n  n: 1.5\n  m: 2\nlist:\n  - a\n  - 7\nmore: 1\n', schema)).toEqual([
    'f.yaml:1: name must be text',
    'f.yaml:1: start is missing',
    'f.yaml:3: in.n must be a whole number',
    'f.yaml:4: unknown key "m" in in; remove it or correct its spelling',
    'f.yaml:7: list[2] must be text',
    'f.yaml:8: unknown key "more"; remove it or correct its spelling',
  ]);
});

test('bytes that are not UTF-8 are refused at their line, and a sequence over a line end is not one', () => {
  const part = (p: string | number): Uint8Array => (typeof p === 'string' ? Buffer.from(p) : Buffer.from([p]));
  const bytes = (...parts: readonly (string | number)[]): Uint8Array => Buffer.concat(parts.map(part));
  expect(decodeText('f', bytes('a: ü\n'))).toEqual({ ok: true, text: 'a: ü\n' });
  expect(decodeText('f', bytes('a: 1\nb: ', 0xff, '\n'))).toEqual(
    { ok: false, problems: [{ file: 'f', line: 2, message: 'not UTF-8; save the file as UTF-8' }] },
  );
  expect(decodeText('f', bytes('a: ', 0xc3, '\n', 0xbc))).toEqual(
    { ok: false, problems: [{ file: 'f', line: 1, message: 'not UTF-8; save the file as UTF-8' }] },
  );
  expect(decodeText('f', new Uint8Array(MAX_FILE_BYTES + 1)).ok).toBe(false);
});

test('property: what is printed as YAML is read back the same', () => {
  const key = fc.stringMatching(/^[A-Za-z ~:#-]{1,8}$/).filter((k) => k !== '__proto__');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, fc.stringMatching(/^[ -~]{0,20}$/), fc.integer(), fc.boolean(), fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(key, tie('value'), { maxKeys: 4 })),
  }));
  fc.assert(fc.property(fc.dictionary(key, value, { minKeys: 1, maxKeys: 4 }), (object) => {
    const text = stringify(object, { version: '1.2', aliasDuplicateObjects: false });
    const loaded = loadYaml('f.yaml', text, anything);
    expect(loaded.ok ? JSON.parse(JSON.stringify(loaded.value)) : loaded.problems).toEqual(JSON.parse(JSON.stringify(object)));
  }), { numRuns: COUNT });
});

test('property: hostile text gives a value or problems with lines inside the file, never a fault', () => {
  const piece = fc.constantFrom(
    'a', ': ', '- ', '\n', ' ', '[', ']', '{', '}', ',', '"', "'", '|', '>', '&x',
    '*x', '!t', '#', '? ', '%', '---', '...', '<<', '\\', '1', '~',
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
    const text = pieces.join('');
    const loaded = loadYaml('f.yaml', text, anything);
    if (loaded.ok) return;
    expect(loaded.problems.length).toBeGreaterThan(0);
    const last = text.split('\n').length;
    for (const { line } of loaded.problems) expect(line >= 1 && line <= last).toBe(true);
  }), { numRuns: COUNT * 4 });
});
