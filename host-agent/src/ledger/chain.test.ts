// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY_CHAIN, headOf, MAX_ENTRY_BYTES, nextEntry } from './chain.ts';
import { exampleChain, exampleDraft } from './testdata/example-chain.ts';
import { leafHash, sha256Hex } from './digest.ts';
import type { EntryDraft } from './entry.ts';
import { uuid7 } from './uuid7.ts';

const stamp = { id: uuid7(0, new Uint8Array(10)), source: 'holdfastd', sourceSeq: 1, time: '1970-01-01T00:00:00.000Z' };

test('an entry carries the hash of the one before it, the first one zeros', () => {
  const [first, second] = exampleChain(2);
  expect(first!.entry).toMatchObject({ seq: 1, prev: '0'.repeat(64) });
  expect(second!.entry).toMatchObject({ seq: 2, prev: first!.hash });
});

test('a leaf is SHA-256 over a zero byte and the bytes (RFC 6962, 2.1)', () => {
  const bytes = new TextEncoder().encode('abc');
  expect(leafHash(bytes)).toBe(createHash('sha256').update('\0abc').digest('hex'));
  expect(leafHash(new Uint8Array())).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  expect(sha256Hex(new Uint8Array())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('what cannot be spelled is refused as a value', () => {
  const draft: EntryDraft = { ...exampleDraft(1), data: { share: 0.5 } };
  expect(nextEntry(EMPTY_CHAIN, draft, stamp)).toEqual({ ok: false, error: expect.stringContaining('$.data.share') });
});

test('an entry that would not fit in an answer is refused', () => {
  const withText = (length: number): EntryDraft => ({ ...exampleDraft(1), data: { text: 'x'.repeat(length) } });
  expect(nextEntry(EMPTY_CHAIN, withText(MAX_ENTRY_BYTES - 1000), stamp)).toMatchObject({ ok: true });
  const tooLong = nextEntry(EMPTY_CHAIN, withText(MAX_ENTRY_BYTES), stamp);
  expect(tooLong).toMatchObject({ ok: false, error: expect.stringContaining('write digests') });
});

test('any two different drafts have different bytes and hashes (E08)', () => {
  const part = fc.constantFrom('a', 'b', 'a|b', 'a","b', '\n', '', '1', 'call');
  const value = fc.oneof(part, fc.integer({ min: 0, max: 2 }), fc.constant(null));
  const draft = fc.record({ id: part.map((text) => text || 'x'), key: part, value })
    .map((of): EntryDraft => ({ ...exampleDraft(1), actor: { type: 'user', id: of.id }, data: { [of.key]: of.value } }));
  fc.assert(fc.property(draft, draft, (a, b) => {
    const [left, right] = [nextEntry(EMPTY_CHAIN, a, stamp), nextEntry(EMPTY_CHAIN, b, stamp)];
    if (!left.ok || !right.ok) throw new Error('a plain draft was refused');
    const [[aKey, aValue] = [], [bKey, bValue] = []] = [Object.entries(a.data)[0], Object.entries(b.data)[0]];
    const equal = a.actor.id === b.actor.id && aKey === bKey && aValue === bValue;
    expect(left.value.hash === right.value.hash).toBe(equal);
    expect(Buffer.compare(left.value.bytes, right.value.bytes) === 0).toBe(equal);
  }), { numRuns: Number(process.env['HOLDFAST_COUNT'] ?? 2000) });
});

test('the head is what the next entry follows', () => {
  const [only] = exampleChain(1);
  expect(headOf(only!)).toEqual({ seq: 1, hash: only!.hash });
});
