// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { readSecretAnswer } from './secret-values.ts';

const line = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test.each(['sk-ant-api03-abc', 'a"b\\c', 'x', '"value":"y'])('the value %j comes as bytes', (value) => {
  const read = readSecretAnswer(line({ id: 1, ok: true, value }));
  expect(read.ok && read.value.toString()).toBe(value);
  const other = readSecretAnswer(Buffer.from(`{"value":${JSON.stringify(value)},"ok":true,"id":1}`));
  expect(other.ok && other.value.toString()).toBe(value);
});

test('a refusal is told as it is', () => {
  expect(readSecretAnswer(line({ id: 1, ok: false, rule: 'locked', why: 'the store is locked' }))).toEqual({ ok: false, rule: 'locked', why: 'the store is locked' });
});

test.each<[string, Buffer]>([
  ['a line end in the value', line({ id: 1, ok: true, value: 'a\r\nX: b' })],
  ['a letter beyond ASCII', line({ id: 1, ok: true, value: 'ä' })],
  ['another answer', line({ id: 2, ok: true, value: 'a' })],
  ['a field too many', line({ id: 1, ok: true, value: 'a', more: 1 })],
  ['a value and a refusal', line({ id: 1, ok: false, value: 'a' })],
  ['no JSON', Buffer.from('{"id":1,"ok":true,"value":"a"')],
  ['no value', line({ id: 1, ok: true })],
  ['an unknown rule', line({ id: 1, ok: false, rule: 'x', why: 'y' })],
])('%s is no value', (_what, bytes) => expect(readSecretAnswer(bytes)).toMatchObject({ ok: false, rule: 'away' }));
