// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readCredentials, stringsOf } from './smbios.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 1000);

function structure(...strings: readonly string[]): Buffer {
  const head = Buffer.from([11, 5, 0x00, 0x0e, strings.length]);
  const set = strings.length === 0 ? '\0\0' : `${strings.join('\0')}\0\0`;
  return Buffer.concat([head, Buffer.from(set, 'latin1')]);
}

const B64 = Buffer.from('operators: []\n').toString('base64');
const SEED = `io.systemd.credential.binary:holdfast.seed=${B64}`;

function valuesOf(...structures: readonly Uint8Array[]): Readonly<Record<string, string>> {
  return Object.fromEntries([...readCredentials(structures).values].map(([name, bytes]) => [name, Buffer.from(bytes).toString('utf8')]));
}

test('our credentials are found among other strings, in both forms, over several structures', () => {
  const text = 'io.systemd.credential:holdfast.root-keys=ssh-ed25519 AAAA=\nü';
  expect(valuesOf(structure('vendor', SEED, ''.padEnd(300, 'x')), structure(Buffer.from(text).toString('latin1')))).toEqual({
    'holdfast.seed': 'operators: []\n',
    'holdfast.root-keys': 'ssh-ed25519 AAAA=\nü',
  });
});

test('everything that is not holdfast.* is as if it were not there', () => {
  const others = [
    'io.systemd.credential:ssh.authorized_keys.root=k', 'io.systemd.credential.binary:tmpfiles.extra=eA==', 'holdfast.seed=x',
    'io.systemd.stub.kernel-cmdline-extra=x', 'io.systemd.credential:holdfast=x', 'io.systemd.credential:holdfast.=x',
    'io.systemd.credential:holdfast.../x=y', 'xio.systemd.credential:holdfast.seed=x',
  ];
  expect(readCredentials([structure(...others)])).toEqual({ values: new Map(), problems: [] });
});

test.each([
  ['base64 with a space', `${SEED} `],
  ['base64 with a second spelling', `${SEED.replace(/=*$/, '')}`],
  ['no value', 'io.systemd.credential.binary:holdfast.seed'],
])('%s is a problem and no value', (_, text) => {
  const read = readCredentials([structure(text)]);
  expect([read.values.size, read.problems.length]).toEqual([0, 1]);
});

test('a credential given twice is used in neither form', () => {
  const read = readCredentials([structure(SEED), structure('io.systemd.credential:holdfast.seed=other', SEED)]);
  expect(read.values.size).toBe(0);
  expect(read.problems[0]).toContain('given twice');
});

test('cut anywhere, a structure gives whole strings or none, and says so', () => {
  const raw = structure('first', SEED);
  expect(stringsOf(raw)).toMatchObject({ whole: true, strings: { length: 2 } });
  for (let end = 0; end < raw.length; end += 1) {
    const { strings, whole } = stringsOf(raw.subarray(0, end));
    expect(whole).toBe(false);
    for (const [i, string] of strings.entries()) expect(Buffer.from(string).toString('latin1')).toBe(['first', SEED][i]);
  }
  expect(readCredentials([raw.subarray(0, raw.length - 3)]).problems).toHaveLength(1);
});

test.each([
  ['another type', Buffer.concat([Buffer.from([1]), structure(SEED).subarray(1)])],
  ['a formatted area longer than the structure', Buffer.from([11, 200, 0, 0, 1, 65, 0, 0])],
  ['a formatted area without a count', Buffer.from([11, 4, 0, 0, 65, 0, 0])],
  ['nothing', Buffer.alloc(0)],
  ['more strings promised than there are', Buffer.from([11, 5, 0, 0, 9, 65, 0, 0])],
])('%s gives no credential', (_, raw) => {
  expect(readCredentials([raw]).values.size).toBe(0);
});

test('property: no bytes are a fault', () => {
  const hostile = fc.uint8Array({ maxLength: 64 }).map((tail) => Buffer.concat([Buffer.from([11, 5, 0, 0, 3]), tail]));
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), hostile), (raw) => {
    expect(readCredentials([raw]).values.size).toBe(0);
  }), { numRuns: COUNT });
});
