// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { AgentName } from '../identity/ids.ts';
import { isReceiptValid, parseReceiptKey } from '../ledger/receipt.ts';
import { openReceiptSigner } from './receipt-signer.ts';

const base = mkdtempSync(join(tmpdir(), 'hf-signer-'));
afterAll(() => rmSync(base, { recursive: true }));
let made = 0;
const fresh = (): { key: string; pub: string } => {
  made += 1;
  return { key: `${base}/${made}/state/signing.key`, pub: `${base}/${made}/run/receipt.pub` };
};
const otherKind = generateKeyPairSync('x25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
const body = { boot: 'b', seq: 1, permit: 'ab'.repeat(32), agent: 'scout' as AgentName, notAfter: 5 };

test('the first start makes a key that only its owner reads, and publishes the public half', () => {
  const { key, pub } = fresh();
  const signer = openReceiptSigner(key, pub);
  expect(statSync(key).mode & 0o777).toBe(0o600);
  expect(statSync(pub).mode & 0o777).toBe(0o644);
  expect(readFileSync(pub, 'utf8')).toBe(`${signer.publicKey}\n`);
  const published = parseReceiptKey(readFileSync(pub, 'utf8'));
  expect(published.ok && isReceiptValid(signer.sign(body), published.value)).toBe(true);
});

test('the next start has the same key, another machine another', () => {
  const { key, pub } = fresh();
  const first = openReceiptSigner(key, pub).publicKey;
  writeFileSync(pub, 'stale');
  expect(openReceiptSigner(key, pub).publicKey).toBe(first);
  expect(readFileSync(pub, 'utf8')).toBe(`${first}\n`);
  expect(openReceiptSigner(fresh().key, pub).publicKey).not.toBe(first);
});

test('what a crash left half written is not taken for the key', () => {
  const { key, pub } = fresh();
  const first = openReceiptSigner(key, pub).publicKey;
  writeFileSync(`${key}.new`, 'half');
  expect(openReceiptSigner(key, pub).publicKey).toBe(first);
});

test.each<[string, (key: string) => void, string]>([
  ['others may read it', (key) => chmodSync(key, 0o640), 'others may read it'],
  ['it is a link', (key) => { rmSync(key); symlinkSync('/etc/hostname', key); }, 'ELOOP'],
  ['it holds nothing', (key) => writeFileSync(key, ''), 'does not hold an Ed25519 key'],
  ['it holds another kind of key', (key) => writeFileSync(key, otherKind), 'does not hold an Ed25519 key'],
])('a key is not used, and not replaced, when %s', (_what, damage, message) => {
  const { key, pub } = fresh();
  openReceiptSigner(key, pub);
  damage(key);
  expect(() => openReceiptSigner(key, pub)).toThrow(message);
});
