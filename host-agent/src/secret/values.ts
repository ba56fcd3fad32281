// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { VALUE_MAX } from './name.ts';

/** Of one secret, or the token of a source. `old` is there until its grace ends. Never strings, for those cannot be wiped. */
export type Values = { readonly value: Uint8Array; readonly old: Uint8Array | null };

// What is sealed: for each that has a value here (`sealedOf` the header), in its order, the length of the value (two bytes, the higher first) and the value, then
// the same of the old value, whose length is 0 where there is none. The names are the header's, which the seal binds to these bytes.

const LENGTH_BYTES = 2;

/** The caller wipes it. */
export function encodeValues(all: readonly Values[]): Buffer {
  const parts = all.flatMap(({ value, old }) => [value, old ?? new Uint8Array()]);
  const bytes = wipeable(parts.reduce((sum, part) => sum + LENGTH_BYTES + part.length, 0));
  let at = 0;
  for (const part of parts) {
    at = bytes.writeUInt16BE(part.length, at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Views into `bytes`: they are wiped with it. */
export function decodeValues(bytes: Buffer, count: number): Result<readonly Values[]> {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (parts.length < count * 2) {
    const length = at + LENGTH_BYTES <= bytes.length ? bytes.readUInt16BE(at) : Number.NaN;
    at += LENGTH_BYTES;
    if (!(length <= VALUE_MAX) || at + length > bytes.length) return refuse('the values do not have their form');
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at !== bytes.length) return refuse('there are more values than names');
  return accept(Array.from({ length: count }, (_, n) => ({ value: parts[2 * n]!, old: parts[2 * n + 1]!.length === 0 ? null : parts[2 * n + 1]! })));
}

/**
 * For what is to be wiped. V8 keeps a typed array of up to 64 bytes in its own heap, and moves it: whoever then asks for its memory, as
 * the ciphers do, gets a copy, and it is the copy that is wiped. An ArrayBuffer of its own is in one place for ever.
 */
export function wipeable(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length));
}

/** A copy, made so that it can be wiped. */
export function wipeableCopy(bytes: Uint8Array): Buffer {
  const copy = wipeable(bytes.length);
  copy.set(bytes);
  return copy;
}

export function wipe(...buffers: readonly (Uint8Array | null | undefined)[]): void {
  for (const buffer of buffers) buffer?.fill(0);
}
