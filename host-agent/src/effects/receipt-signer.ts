// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { receiptBytes, type ReceiptBody, type Receipt } from '../ledger/receipt.ts';
import { writeDurably } from './durable-file.ts';

export type ReceiptSigner = {
  /** The 32 bytes of the Ed25519 key in base64. */
  readonly publicKey: string;
  readonly sign: (body: ReceiptBody) => Receipt;
};

/**
 * The ledger's key: made at the first start, then read. Its public half is published at `publicPath` (base64 of the 32 bytes
 * and a newline, 0644), where runners read it.
 */
export function openReceiptSigner(keyPath: string, publicPath: string): ReceiptSigner {
  const key = readKey(keyPath) ?? makeKey(keyPath);
  const publicKey = rawPublicKey(key);
  mkdirSync(dirname(publicPath), { recursive: true, mode: 0o755 });
  writeDurably(publicPath, `${publicKey}\n`, 0o644);
  return {
    publicKey,
    sign: (body) => ({ ...body, signature: sign(null, receiptBytes(body), key).toString('base64') }),
  };
}

function readKey(path: string): KeyObject | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fault;
  }
  try {
    const { mode, uid } = fstatSync(descriptor);
    if ((mode & 0o077) !== 0 || uid !== process.geteuid?.()) {
      throw new Error(`cannot use ${path}: others may read it or own it; its mode must be 0600, its owner the ledger's user`);
    }
    const key = parseKey(readFileSync(descriptor));
    // Making another one would turn every receipt so far into a forgery.
    if (key?.asymmetricKeyType !== 'ed25519') throw new Error(`cannot use ${path}: it does not hold an Ed25519 key`);
    return key;
  } finally {
    closeSync(descriptor);
  }
}

function parseKey(pem: Buffer): KeyObject | null {
  try {
    return createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    return null;
  }
}

function makeKey(path: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // `once`: two processes that start together must not end up with two keys.
  writeDurably(path, privateKey.export({ format: 'pem', type: 'pkcs8' }), 0o600, true);
  return privateKey;
}

function rawPublicKey(key: KeyObject): string {
  // RFC 8410: the key itself is the last 32 bytes of the SubjectPublicKeyInfo.
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
}
