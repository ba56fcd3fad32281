// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { parseFilter, parseNumbers } from './parse-filter.ts';

const FILES: Record<string, string> = {
  numbers: '# of three\n0 read\n1 write\n5 clone\n',
  'base.filter': 'allow read: everything\nrefuse write EPERM: nothing\nallow clone when arg0 lacks 0x10 else EPERM: threads\n',
};
const numbers = parseNumbers((name) => FILES[name]!, 'numbers');
const parsed = (text: string) => parseFilter((name) => ({ ...FILES, 'x.filter': text })[name]!, 'x', numbers);
const ALL = 'allow write: w\nallow clone: c\n';

test('says of each system call what the file says', () => {
  expect([...parsed('include base').decisions]).toEqual([
    ['read', { kind: 'allow' }],
    ['write', { kind: 'refuse', errno: 'EPERM' }],
    ['clone', { kind: 'when', arg: 0, test: { op: 'lacks', bits: 16 }, errno: 'EPERM' }],
  ]);
});

test('own lines count over what is included, and the others over nothing that is said', () => {
  expect(parsed('include base\nallow write: w').decisions.get('write')).toEqual({ kind: 'allow' });
  expect([...parsed('others EPERM: no\nallow read: r').decisions.values()].map(({ kind }) => kind).sort()).toEqual(['allow', 'refuse', 'refuse']);
  expect(parsed('include base\nothers ENOSYS: no').decisions.get('read')).toEqual({ kind: 'allow' });
});

test.each([
  ['is', 'is 1 0x2', { op: 'is', values: [1, 2] }],
  ['is not', 'is not 0xffffffff', { op: 'is not', values: [0xffff_ffff] }],
  ['lacks', 'lacks 0x80000000', { op: 'lacks', bits: 0x8000_0000 }],
])('a test %s', (_, said, test) => {
  expect(parsed(`${ALL}allow read when arg5 ${said} else EAFNOSUPPORT: r`).decisions.get('read')).toEqual({ kind: 'when', arg: 5, test, errno: 'EAFNOSUPPORT' });
});

describe('ends the build, with file and line', () => {
  test.each([
    ['a line without a reason', 'allow read', /^seccomp\/x\.filter:3: .*reason/],
    ['an empty reason', 'allow read: ', /:3: /],
    ['a name nobody has', 'allow raed: typo', /:3: no system call is named "raed"/],
    ['a call decided twice', 'allow write: again', /:3: write was decided before/],
    ['another word', 'permit read: r', /:3: not "allow/],
    ['a capital', 'ALLOW read: r', /:3: /],
    ['an unknown errno', 'refuse read EACCES: r', /:3: "EACCES" is none of EPERM, ENOSYS, EAFNOSUPPORT/],
    ['an errno of the object\'s prototype', 'refuse read constructor: r', /:3: "constructor"/],
    ['a refusal without errno', 'refuse read: r', /:3: /],
    ['a condition without its other answer', 'allow read when arg0 is 1: r', /:3: not "when ARG TEST else ERRNO"/],
    ['a seventh argument', 'allow read when arg6 is 1 else EPERM: r', /:3: /],
    ['a value of 33 bits', 'allow read when arg0 is 0x1ffffffff else EPERM: r', /:3: /],
    ['a value above 32 bits in decimal', 'allow read when arg0 is 4294967296 else EPERM: r', /:3: .*32 bits/],
    ['an octal look', 'allow read when arg0 is 010 else EPERM: r', /:3: .*32 bits/],
    ['a negative value', 'allow read when arg0 is -1 else EPERM: r', /:3: .*32 bits/],
    ['no value', 'allow read when arg0 is else EPERM: r', /:3: /],
    ['the same value twice', 'allow read when arg0 is 1 0x1 else EPERM: r', /:3: /],
    ['no bits', 'allow read when arg0 lacks 0 else EPERM: r', /:3: /],
    ['two blanks', 'allow  read: r', /:3: /],
    ['an include that is not first', 'include base', /:3: an include comes first/],
    ['a path', 'include ../base', /:3: /],
  ])('%s', (_, line, message) => {
    expect(() => parsed(`allow write: w\nallow clone: c\n${line}\n`)).toThrow(message);
  });

  test('a call that is not decided', () => {
    expect(() => parsed(ALL)).toThrow('seccomp/x.filter: says nothing of read');
  });

  test.each([['a number twice', '0 read\n0 write'], ['a name twice', '0 read\n1 read'], ['a blank more', '0  read'], ['no name', '0']])('numbers: %s', (_, text) => {
    expect(() => parseNumbers(() => text, 'n')).toThrow(/^seccomp\/n:[12]: /);
  });
});
