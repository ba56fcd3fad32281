// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AgentName } from '../identity/ids.ts';
import type { JsonValue } from './entry.ts';
import { isReceiptValid, parseReceipt, parseReceiptKey, receiptBytes, type ReceiptBody, type Receipt } from './receipt.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const body: ReceiptBody = { boot: 'b00t', seq: 7, permit: 'ab'.repeat(32), agent: 'scout' as AgentName, notAfter: 123_456 };
const receipt: Receipt = { ...body, signature: sign(null, receiptBytes(body), privateKey).toString('base64') };

test('the signed bytes are the context and the canonical five fields', () => {
  expect(new TextDecoder().decode(receiptBytes(body))).toBe(
    `holdfast-receipt-v1\n{"agent":"scout","boot":"b00t","notAfter":123456,"permit":"${'ab'.repeat(32)}","seq":7}`,
  );
});

test('a receipt holds under the key that signed it', () => {
  expect(isReceiptValid(receipt, publicKey)).toBe(true);
});

describe('a receipt does not hold', () => {
  test.each<[string, Partial<Receipt>]>([
    ['in another boot', { boot: 'b00u' }],
    ['at another place', { seq: 8 }],
    ['for another permit', { permit: 'ac'.repeat(32) }],
    ['for another agent', { agent: 'scoud' as AgentName }],
    ['for longer', { notAfter: 123_457 }],
    ['with a signature of zeros', { signature: Buffer.alloc(64).toString('base64') }],
    ['with a signature cut short', { signature: receipt.signature.slice(0, -4) }],
    ['without one', { signature: '' }],
    ['with one in another spelling', { signature: receipt.signature.replace(/=+$/, '') }],
  ])('%s', (_what, change) => {
    expect(isReceiptValid({ ...receipt, ...change }, publicKey)).toBe(false);
  });

  test('under another key', () => {
    expect(isReceiptValid(receipt, other.publicKey)).toBe(false);
  });

  test('when the same bytes were signed without the context', () => {
    const bare = sign(null, receiptBytes(body).slice('holdfast-receipt-v1\n'.length), privateKey).toString('base64');
    expect(isReceiptValid({ ...body, signature: bare }, publicKey)).toBe(false);
  });
});

test('the published key is 32 bytes in base64, with or without a newline', () => {
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
  for (const text of [raw, `${raw}\n`]) {
    const key = parseReceiptKey(text);
    expect(key.ok && isReceiptValid(receipt, key.value)).toBe(true);
  }
  for (const text of ['', raw.slice(4), `${raw}\n\n`, ` ${raw}`, raw.replace('=', '')]) {
    expect(parseReceiptKey(text)).toMatchObject({ ok: false });
  }
});

test('a receipt is read as it was written and nothing else is', () => {
  expect(parseReceipt({ ...receipt })).toEqual({ ok: true, value: receipt });
  const wrong: JsonValue[] = [
    null, [], {}, { ...receipt, more: 1 }, { ...receipt, seq: '7' }, { ...receipt, agent: '../x' }, { ...receipt, notAfter: 0 },
    { ...receipt, permit: 'ab' },
  ];
  for (const value of wrong) expect(parseReceipt(value)).toMatchObject({ ok: false });
});
