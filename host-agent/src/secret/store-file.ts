// SPDX-License-Identifier: Apache-2.0
import { createHash, timingSafeEqual } from 'node:crypto';
import { accept, refuse, type Result } from '../identity/result.ts';
import { canonicalJson, canonicalText } from '../ledger/encode.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { readCanonical } from '../ledger/read-canonical.ts';
import { deriveKey, newDerivation, type Derivation } from './key-derivation.ts';
import { KEY_BYTES, NONCE_BYTES, seal, unseal } from './seal.ts';
import { parseStoreHeader, sealedOf, type KeySlot, type SlotKind, type StoreHeader } from './store-header.ts';
import { decodeValues, encodeValues, wipe, wipeable, type Values } from './values.ts';

// The store (R42): the header as RFC 8785 JSON and a newline; nonce, ciphertext and tag of the values under the master key, with the header
// as associated bytes; SHA-256 of all before it. The sum tells decay and a short write before anybody is asked for a passphrase. Against
// hands it is the tag that holds: whoever changed a byte can make a new sum, and is found out at unlocking.

/**
 * A store as it lies there. Its header can be read without any key, so that names, agents and hosts are known while it is locked, and
 * **it is not authenticated until somebody unlocks it**: whoever could write the file may have written these. Nothing is handed out on
 * the word of it: there is no value before the unlocking that checks it.
 */
export type LockedStore = { readonly header: StoreHeader; readonly associated: Uint8Array; readonly sealed: Uint8Array };

/** `masterKey` and `values` are to be wiped; `values` are in the order of `sealedOf` the header. */
export type OpenedStore = { readonly header: StoreHeader; readonly masterKey: Buffer; readonly values: readonly Values[]; readonly wipe: () => void };

/** What root's units carry, too. */
export const MOST_STORE_BYTES = 4 * 1024 * 1024;
const MOST_HEADER_BYTES = 1024 * 1024;
const SUM_BYTES = 32;
const NEWLINE = 0x0a;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type Random = (bytes: number) => Uint8Array;

export function readStore(bytes: Uint8Array): Result<LockedStore> {
  if (bytes.length > MOST_STORE_BYTES) return refuse(`the store is larger than ${MOST_STORE_BYTES} bytes`);
  const end = bytes.length - SUM_BYTES;
  if (end < 0 || !timingSafeEqual(sum(bytes.subarray(0, end)), bytes.subarray(end))) return refuse('the store is damaged: it does not have its checksum');
  const newline = bytes.subarray(0, MOST_HEADER_BYTES).indexOf(NEWLINE);
  if (newline < 0) return refuse('the store is damaged: it has no header');
  const associated = bytes.subarray(0, newline + 1);
  const header = readHeader(bytes.subarray(0, newline));
  if (!header.ok) return refuse(`the store cannot be used: ${header.error}`);
  return accept({ header: header.value, associated, sealed: bytes.subarray(newline + 1, end) });
}

/** Only the one spelling that we would write: two readers of one header never see two headers. */
function readHeader(bytes: Uint8Array): Result<StoreHeader> {
  let value: JsonValue;
  let text: string;
  try {
    text = utf8.decode(bytes);
    value = readCanonical(text);
    if (canonicalText(value) !== text) return refuse('the header is not in its canonical form');
  } catch {
    return refuse('the header is not canonical JSON');
  }
  return parseStoreHeader(value);
}

/** With the right key the store can still be another than was written: that is damage, and no wrong passphrase. */
export type Opening = { readonly ok: true; readonly value: OpenedStore } | { readonly ok: false; readonly key: 'wrong' | 'right'; readonly error: string };

/** Any slot of these kinds that this secret opens. Everything in the file is checked with it. */
export function openStore(store: LockedStore, secret: Uint8Array, kinds: readonly SlotKind[]): Opening {
  const slots = store.header.slots.filter(({ kind }) => kinds.includes(kind));
  if (slots.length === 0) return { ok: false, key: 'wrong', error: `this store has no slot of the kind ${kinds.join(' or ')}` };
  for (const slot of slots) {
    const masterKey = unwrap(slot, store.header.id, secret);
    if (masterKey !== null) return openWith(store, masterKey);
  }
  return { ok: false, key: 'wrong', error: WRONG_KEY };
}

export const WRONG_KEY = 'this opens no key slot: it is the wrong one, or the file was changed';

function openWith({ header, associated, sealed }: LockedStore, masterKey: Buffer): Opening {
  const expected = sealedOf(header);
  const plain = unseal(masterKey, sealed, associated);
  const values = plain === null ? refuse('its tag does not fit') : decodeValues(plain, expected.length);
  const fits = values.ok && values.value.every(({ value, old }, at) => value.length > 0 && (old !== null) === expected[at]!.hasOld);
  if (!values.ok || !fits) {
    wipe(plain, masterKey);
    const why = values.ok ? 'values do not fit the header' : values.error;
    return { ok: false, key: 'right', error: `the key is right, but the store was changed since it was written (${why}); nothing of it is used` };
  }
  return { ok: true, value: { header, masterKey, values: values.value, wipe: () => wipe(plain, masterKey) } };
}

export function writeStore(header: StoreHeader, masterKey: Uint8Array, values: readonly Values[], random: Random): Buffer {
  const associated = Buffer.concat([canonicalJson(header), Uint8Array.of(NEWLINE)]);
  const plain = encodeValues(values);
  try {
    const whole = Buffer.concat([associated, seal(masterKey, random(NONCE_BYTES), plain, associated)]);
    return Buffer.concat([whole, sum(whole)]);
  } finally {
    wipe(plain);
  }
}

/** The caller wipes the master key. */
export function newStore(slots: readonly { readonly kind: SlotKind; readonly secret: Uint8Array }[], random: Random, cost?: Omit<Derivation, 'salt'>): { readonly header: StoreHeader; readonly masterKey: Buffer } {
  const fresh = random(KEY_BYTES);
  const masterKey = wipeable(KEY_BYTES);
  masterKey.set(fresh);
  wipe(fresh);
  const id = Buffer.from(random(16)).toString('hex');
  const made = slots.map(({ kind, secret }) => newSlot(kind, secret, { id, masterKey }, random, cost));
  return { header: { v: 1, id, generation: 1, slots: made, levels: [], secrets: [] }, masterKey };
}

export function newSlot(kind: SlotKind, secret: Uint8Array, store: { readonly id: string; readonly masterKey: Uint8Array }, random: Random, cost?: Omit<Derivation, 'salt'>): KeySlot {
  const argon2id = newDerivation(random, cost);
  const key = deriveKey(secret, argon2id);
  try {
    return { kind, argon2id, wrapped: seal(key, random(NONCE_BYTES), store.masterKey, slotContext(store.id, kind, argon2id)).toString('base64') };
  } finally {
    wipe(key);
  }
}

function unwrap({ kind, argon2id, wrapped }: KeySlot, id: string, secret: Uint8Array): Buffer | null {
  const key = deriveKey(secret, argon2id);
  try {
    return unseal(key, Buffer.from(wrapped, 'base64'), slotContext(id, kind, argon2id));
  } finally {
    wipe(key);
  }
}

/** A slot of one store, or of one kind, is none of another. */
function slotContext(id: string, kind: SlotKind, argon2id: Derivation): Uint8Array {
  return canonicalJson({ holdfast: 'secret-slot-v1', id, kind, argon2id });
}

function sum(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
