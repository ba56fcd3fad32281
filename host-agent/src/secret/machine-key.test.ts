// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { MACHINE_KEY_BYTES, newMachineKey, parseMachineKey } from './machine-key.ts';

test.each([
  ['given no-tpm\n', { from: 'given', tpm: false, why: null }],
  ['sealed tpm\n', { from: 'sealed', tpm: true, why: null }],
  ['none tpm', { from: 'none', tpm: true, why: null }],
  ['failed no-tpm no TPM here\n', { from: 'failed', tpm: false, why: 'no TPM here' }],
])('%j is read', (text, key) => expect(parseMachineKey(text)).toEqual({ ok: true, value: key }));

test.each(['', '\n', 'sealed', 'sealed tpm why\n', 'failed tpm', 'failed tpm \n', 'given maybe', 'other tpm', ' sealed tpm', 'sealed tpm\n\n', 'sealed tpm\nnone tpm', `failed tpm ${'x'.repeat(401)}`, 'failed tpm \u001b[31mred'])('%j is nobody\'s word', (text) => {
  expect(parseMachineKey(text)).toMatchObject({ ok: false });
});

test('a key is of the length that is sealed, and ends with no line break, which would be taken for the end of a text', () => {
  const key = newMachineKey((length) => Buffer.alloc(length, 0x0a));
  expect([key.length, key.at(-1), key.at(-2)]).toEqual([MACHINE_KEY_BYTES, 0x8a, 0x0a]);
});
