// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { redactor } from '../secret/redaction.ts';
import { packedIn, withoutSecrets } from './response-secrets.ts';

test.each<[readonly string[]]>([[[]], [['Content-Type', 'text/plain']], [['Content-Encoding', 'identity']], [['content-encoding', ' Identity ,']], [['Content-Encoding', '']], [['Transfer-Encoding', 'chunked']], [['Transfer-Encoding', 'Chunked', 'Content-Encoding', 'identity, identity']]])(
  'as it is: %j', (raw) => expect(packedIn(raw)).toBeNull());

test.each<[readonly string[], string]>([
  [['Content-Encoding', 'gzip'], 'gzip'],
  [['content-encoding', 'GZIP'], 'gzip'],
  [['CONTENT-ENCODING', 'x-gzip'], 'x-gzip'],
  [['Content-Encoding', 'deflate'], 'deflate'],
  [['Content-Encoding', 'br'], 'br'],
  [['Content-Encoding', 'zstd'], 'zstd'],
  [['Content-Encoding', 'compress'], 'compress'],
  [['Content-Encoding', 'aes128gcm'], 'aes128gcm'],
  [['Content-Encoding', 'identity, gzip'], 'gzip'],
  [['Content-Encoding', 'identity', 'Content-Encoding', 'gzip'], 'gzip'],
  [['Content-Encoding', 'nobody-knows-this'], 'nobody-knows-this'],
  [['Transfer-Encoding', 'gzip, chunked'], 'gzip'],
  [['Transfer-Encoding', 'gzip', 'Transfer-Encoding', 'chunked'], 'gzip'],
  [['Transfer-Encoding', 'identity'], 'identity'],
])('packed: %j', (raw, coding) => expect(packedIn(raw)).toBe(coding));

test('headers lose what is secret in their values, and themselves where it is in their name', () => {
  const filter = redactor([{ name: 'KEY', value: Buffer.from('sk-true-0123456789') }]);
  const base64 = Buffer.from('sk-true-0123456789').toString('base64');
  expect(withoutSecrets([['X-A', 'caf\xe9 sk-true-0123456789'], ['Location', `/?k=${base64}`], ['sk-true-0123456789', 'x'], ['X-B', 'caf\xe9']], filter)).toEqual([
    ['X-A', 'caf\xe9 [secret KEY removed]'], ['Location', '/?k=[secret KEY removed]'], ['X-B', 'caf\xe9'],
  ]);
});
