// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSshKey, printSshKey } from './ssh-key.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 2000);
/** Made by ssh-keygen; their private halves were thrown away. */
const LINES = readFileSync(new URL('testdata/public-keys.txt', import.meta.url), 'utf8').trim().split('\n');
const line = (comment: string): string => LINES.find((l) => l.endsWith(` ${comment}`)) ?? '';

function wire(...parts: readonly (string | Uint8Array)[]): string {
  return Buffer.concat(parts.flatMap((part) => {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  })).toString('base64');
}

const POINT = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 7)]);
const SK_ED = `sk-ssh-ed25519@openssh.com ${wire('sk-ssh-ed25519@openssh.com', Buffer.alloc(32, 7), 'ssh:')}`;
const SK_EC = `sk-ecdsa-sha2-nistp256@openssh.com ${wire('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', POINT, 'ssh:')}`;

test.each(['ed25519-1', 'nistp256', 'nistp384', 'nistp521', 'rsa2048'])('a key of ssh-keygen (%s) is printed as it was', (comment) => {
  const key = parseSshKey(line(comment));
  expect(key.ok && printSshKey(key.value)).toBe(line(comment));
});

test.each([SK_ED, SK_EC])('a hardware key is read', (text) => {
  expect(parseSshKey(text)).toMatchObject({ ok: true });
});

const [ED_TYPE = '', ED_BLOB = ''] = line('ed25519-1').split(' ');
describe('refused', () => {
  test.each([
    ['options in front', `command="/bin/sh" ${line('ed25519-1')}`, /without options|plain text|not accepted|base64/],
    ['an option without quotes', `no-pty ${line('ed25519-1')}`, /not valid base64|without options/],
    ['a second line', `${ED_TYPE} ${ED_BLOB} a\nssh-ed25519 ${ED_BLOB}`, /one line/],
    ['a carriage return', `${ED_TYPE} ${ED_BLOB} a\rb`, /one line/],
    ['NUL', `${ED_TYPE} ${ED_BLOB} \0`, /one line/],
    ['another type in front', `ssh-rsa ${ED_BLOB}`, /another type/],
    ['a type that is not accepted', `ssh-dss ${wire('ssh-dss', 'x')}`, /not accepted/],
    ['a prototype name as type', `constructor ${wire('constructor', 'x')}`, /not accepted/],
    ['an RSA key of 1024 bits', line('rsa1024'), /at least 2048 bits; this one has 1024/],
    ['base64 with a second spelling', `${ED_TYPE} ${ED_BLOB}=`, /base64/],
    ['bytes after the key', `${ED_TYPE} ${wire('ssh-ed25519', Buffer.alloc(32), 'x')}`, /not a whole/],
    ['a short key', `${ED_TYPE} ${wire('ssh-ed25519', Buffer.alloc(31))}`, /not a whole/],
    [
      'a length beyond the end',
      `${ED_TYPE} ${Buffer.from('\0\0\0\x0bssh-ed25519\x7f\xff\xff\xff', 'latin1').toString('base64')}`,
      /not a whole/,
    ],
    ['a point that is compressed', `ecdsa-sha2-nistp256 ${wire('ecdsa-sha2-nistp256', 'nistp256', Buffer.alloc(65, 2))}`, /not a whole/],
    ['another curve inside', `ecdsa-sha2-nistp384 ${wire('ecdsa-sha2-nistp384', 'nistp256', POINT)}`, /not a whole/],
    [
      'an even RSA exponent',
      `ssh-rsa ${wire('ssh-rsa', Buffer.from([4]), Buffer.concat([Buffer.from([0]), Buffer.alloc(256, 0xff)]))}`,
      /not a whole/,
    ],
    [
      'a padded RSA modulus',
      `ssh-rsa ${wire('ssh-rsa', Buffer.from([3]), Buffer.concat([Buffer.alloc(9), Buffer.alloc(256, 0x7f)]))}`,
      /not a whole/,
    ],
    ['nothing', '', /TYPE BASE64/],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----', /./],
  ])('%s', (_, text, why) => {
    const key = parseSshKey(text);
    expect(key.ok ? 'accepted' : key.error).toMatch(why);
  });
});

test('property: no comment adds a line, an option or a byte that a terminal would act on', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (comment) => {
    const key = parseSshKey(`${ED_TYPE} ${ED_BLOB} ${comment}`);
    if (!key.ok) return;
    expect(printSshKey(key.value)).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]+=* ?[A-Za-z0-9@._+-]{0,64}$/);
    expect(key.value.blob).toBe(ED_BLOB);
  }), { numRuns: COUNT });
});

test('property: one changed byte of the key is another key or none, never a fault', () => {
  const bytes = Buffer.from(ED_BLOB, 'base64');
  fc.assert(fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
    const changed = Buffer.from(bytes);
    changed[at] = changed[at]! ^ change;
    const key = parseSshKey(`${ED_TYPE} ${changed.toString('base64')}`);
    // The last 32 bytes are the key itself; everything before is its frame.
    expect(key.ok).toBe(at >= bytes.length - 32);
  }), { numRuns: Math.min(COUNT, 500) });
});
