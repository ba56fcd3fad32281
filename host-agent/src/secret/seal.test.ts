// SPDX-License-Identifier: Apache-2.0
import { argon2Sync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DERIVATION, deriveKey, newDerivation, parseDerivation } from './key-derivation.ts';
import { seal, unseal } from './seal.ts';
import { FORGED, VALID } from './testdata/wycheproof.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** McGrew and Viega, The Galois/Counter Mode of Operation, appendix B, test cases 13 to 16 (AES-256, nonces of 96 bits). */
const K = 'feffe9928665731c6d6a8f9467308308'.repeat(2);
const P = 'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
const C = '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad';
const VECTORS = [
  { name: '13', key: '00'.repeat(32), nonce: '00'.repeat(12), plain: '', aad: '', cipher: '', tag: '530f8afbc74536b9a963b4f1c4cb738b' },
  { name: '14', key: '00'.repeat(32), nonce: '00'.repeat(12), plain: '00'.repeat(16), aad: '', cipher: 'cea7403d4d606b6e074ec5d3baf39d18', tag: 'd0d1c8a799996bf0265b98b5d48ab919' },
  { name: '15', key: K, nonce: 'cafebabefacedbaddecaf888', plain: P, aad: '', cipher: C, tag: 'b094dac5d93471bdec1a502270e3cc6c' },
  { name: '16', key: K, nonce: 'cafebabefacedbaddecaf888', plain: P.slice(0, 120), aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2', cipher: C.slice(0, 120), tag: '76fc6ece0f4e1768cddf8853bb2d551b' },
] as const;

describe.each(VECTORS)('AES-256-GCM, test case $name', ({ key, nonce, plain, aad, cipher, tag }) => {
  const sealed = hex(nonce + cipher + tag);

  test('seals to the published bytes and opens them', () => {
    expect(seal(hex(key), hex(nonce), hex(plain), hex(aad)).toString('hex')).toBe(sealed.toString('hex'));
    expect(unseal(hex(key), sealed, hex(aad))?.toString('hex')).toBe(plain);
  });

  test('any bit of nonce, ciphertext, tag, associated bytes or key that is another is refused', () => {
    for (let bit = 0; bit < sealed.length * 8; bit += 1) expect(unseal(hex(key), flipped(sealed, bit), hex(aad)), `bit ${bit}`).toBeNull();
    expect(unseal(hex(key), sealed, Buffer.concat([hex(aad), Buffer.of(0)]))).toBeNull();
    expect(unseal(flipped(hex(key), 0), sealed, hex(aad))).toBeNull();
    // A tag of 12 or 4 bytes is a valid one of GCM, and none of ours.
    for (const short of [0, 4, 12, 27]) expect(unseal(hex(key), sealed.subarray(0, short), hex(aad))).toBeNull();
  });
});

describe('Wycheproof', () => {
  test.each(VALID)('case $tc seals to its bytes and opens', ({ key, nonce, plain, aad, cipher, tag }) => {
    expect(seal(hex(key), hex(nonce), hex(plain), hex(aad)).toString('hex')).toBe(nonce + cipher + tag);
    expect(unseal(hex(key), hex(nonce + cipher + tag), hex(aad))?.toString('hex')).toBe(plain);
  });

  test('no forged tag opens its message, and the one that it was made from does', () => {
    const { key, nonce, cipher, plain, tags, firstTc } = FORGED;
    expect(tags).toHaveLength(27);
    for (const [n, tag] of tags.entries()) expect(unseal(hex(key), hex(nonce + cipher + tag), hex('')), `case ${firstTc + n}`).toBeNull();
    expect(unseal(hex(key), hex(`${nonce}${cipher}9ce8fef6d8ab1bf1bf887232eab590dd`), hex(''))?.toString('hex')).toBe(plain);
  });
});

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

describe('argon2id', () => {
  test('gives the tag of RFC 9106, 5.3', () => {
    const tag = argon2Sync('argon2id', {
      message: Buffer.alloc(32, 0x01),
      nonce: Buffer.alloc(16, 0x02),
      secret: Buffer.alloc(8, 0x03),
      associatedData: Buffer.alloc(12, 0x04),
      memory: 32,
      passes: 3,
      parallelism: 4,
      tagLength: 32,
    });
    expect(tag.toString('hex')).toBe('0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659');
  });

  test('is used as it was asked for: the same secret and salt give the same key, any other another', () => {
    const derivation = newDerivation(randomBytes, { m: 8192, t: 1, p: 1 });
    const key = deriveKey(Buffer.from('a passphrase'), derivation);
    expect(key).toHaveLength(32);
    expect(deriveKey(Buffer.from('a passphrase'), derivation)).toEqual(key);
    for (const other of [{ ...derivation, m: 8200 }, { ...derivation, t: 2 }, { ...derivation, p: 2 }, { ...derivation, salt: '00'.repeat(16) }]) expect(deriveKey(Buffer.from('a passphrase'), other)).not.toEqual(key);
    expect(deriveKey(Buffer.from('a passphrasf'), derivation)).not.toEqual(key);
  });

  test('the parameters of a header are bounded before they are used', () => {
    const salt = 'ab'.repeat(16);
    expect(parseDerivation({ ...DERIVATION, salt })).toEqual({ ok: true, value: { m: 65_536, t: 3, p: 1, salt } });
    const wrong: [string, object][] = [
      ['m must be', { m: 2 ** 30 }],
      ['m must be', { m: 8 }],
      ['m must be', { m: 65_536.5 }],
      ['m must be', { m: '65536' }],
      ['t must be', { t: 1_000_000 }],
      ['t must be', { t: 0 }],
      ['p must be', { p: 255 }],
      ['the salt must be', { salt: 'ab' }],
      ['the salt must be', { salt: salt.toUpperCase() }],
      ['unknown', { version: 16 }],
    ];
    for (const [why, change] of wrong) expect(parseDerivation({ ...DERIVATION, salt, ...change })).toEqual({ ok: false, error: expect.stringContaining(why) });
  });
});
