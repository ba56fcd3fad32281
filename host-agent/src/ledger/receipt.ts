// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { accept, refuse, type Result } from '../identity/result.ts';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import { canonicalJson } from './encode.ts';
import type { JsonValue } from './entry.ts';
import { checkFields, isCount, isHash, isObject } from './shape.ts';

/** What a receipt says: this permit is on record, at this place, in this boot. */
export type ReceiptBody = {
  readonly boot: string;
  readonly seq: number;
  /** SHA-256 (hex) of the permit's RFC 8785 bytes. */
  readonly permit: string;
  readonly agent: AgentName;
  readonly notAfter: number;
};
/** What holdfast-ledger signs once the intent is on disk. `signature`: Ed25519 over the context and the RFC 8785 bytes of the five; base64. */
export type Receipt = ReceiptBody & { readonly signature: string };

/** Keeps these signatures from being read as signatures over anything else the key may ever sign. */
const CONTEXT = new TextEncoder().encode('holdfast-receipt-v1\n');
/** RFC 8410, 4 and 10.1: what precedes the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** The bytes that are signed. */
export function receiptBytes(body: ReceiptBody): Uint8Array {
  const { boot, seq, permit, agent, notAfter } = body;
  const said = canonicalJson({ boot, seq, permit, agent, notAfter });
  const bytes = new Uint8Array(CONTEXT.length + said.length);
  bytes.set(CONTEXT);
  bytes.set(said, CONTEXT.length);
  return bytes;
}

export function isReceiptValid(receipt: Receipt, key: KeyObject): boolean {
  const signature = fromBase64(receipt.signature, SIGNATURE_BYTES);
  return signature !== null && verify(null, receiptBytes(receipt), key, signature);
}

/** The public key as holdfast-ledger publishes it: the 32 bytes of RFC 8032 in base64. */
export function parseReceiptKey(text: string): Result<KeyObject> {
  const raw = fromBase64(text.endsWith('\n') ? text.slice(0, -1) : text, KEY_BYTES);
  if (raw === null) return refuse('the receipt key is not 32 bytes in base64');
  return accept(createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' }));
}

export function parseReceipt(value: JsonValue | undefined): Result<Receipt> {
  if (!isObject(value)) return refuse('a receipt must be an object');
  const fields = checkFields(value, ['boot', 'seq', 'permit', 'agent', 'notAfter', 'signature']);
  if (!fields.ok) return refuse(`receipt: ${fields.error}`);
  const { boot, seq, permit, agent, notAfter, signature } = value;
  if (typeof boot !== 'string') return refuse('receipt: boot must be a string');
  if (!isCount(seq)) return refuse('receipt: seq must be a positive integer');
  if (!isHash(permit)) return refuse('receipt: permit must be 64 hex digits');
  if (typeof agent !== 'string') return refuse('receipt: agent must be a string');
  const name = parseAgentName(agent);
  if (!name.ok) return name;
  if (!isCount(notAfter)) return refuse('receipt: notAfter must be a positive integer');
  if (typeof signature !== 'string') return refuse('receipt: signature must be a string');
  return accept({ boot, seq, permit, agent: name.value, notAfter, signature });
}

/** Only the one spelling that encoding would give back: base64 has several for the same bytes. */
function fromBase64(text: string, length: number): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : null;
}
