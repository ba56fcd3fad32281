// SPDX-License-Identifier: Apache-2.0
import { wipe, wipeable, wipeableCopy } from './values.ts';

/** Below this a value is part of ordinary text: `abc` would be removed from every page, and the marks would say what it is. */
export const MIN_SECRET_BYTES = 8;

const SPACES: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20]);

/**
 * What is looked for of one secret, in the text as it is and in each reading of it (`readings.ts`): itself, reversed, without its white
 * space, in hex, and in base64 wherever it begins in the encoded bytes. Case and base64url need no form of their own (`phrase-finder.ts`).
 * All but the first, which is `secret` itself, are the caller's to wipe.
 */
export function formsOf(secret: Uint8Array): readonly Uint8Array[] {
  return [
    secret,
    reversed(secret),
    ...withoutSpaces(secret),
    hex(secret),
    ...[0, 1, 2].flatMap((offset) => base64Parts(secret, offset)),
  ];
}

/** None where it has no space, or too little else. */
function withoutSpaces(secret: Uint8Array): readonly Uint8Array[] {
  const length = secret.reduce((count, byte) => (SPACES.has(byte) ? count : count + 1), 0);
  if (length === secret.length || length < MIN_SECRET_BYTES) return [];
  const bare = wipeable(length);
  let at = 0;
  for (const byte of secret) if (!SPACES.has(byte)) bare[at++] = byte;
  return [bare];
}

function hex(bytes: Uint8Array): Uint8Array {
  const digits = '0123456789abcdef';
  const out = wipeable(bytes.length * 2);
  bytes.forEach((byte, at) => {
    out[at * 2] = digits.charCodeAt(byte >> 4);
    out[at * 2 + 1] = digits.charCodeAt(byte & 15);
  });
  return out;
}

/** By characters where it is text, as `rev` does it. */
function reversed(bytes: Uint8Array): Uint8Array {
  const out = wipeable(bytes.length);
  let to = bytes.length;
  for (let from = 0; from < bytes.length; ) {
    let end = from + 1;
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end += 1;
    to -= end - from;
    out.set(bytes.subarray(from, end), to);
    from = end;
  }
  return out;
}

/**
 * The characters that this secret alone decides when it begins `offset` bytes into a group of three, and the same with the last ones that
 * it has where the encoded text ends with it, with padding and without.
 */
function base64Parts(secret: Uint8Array, offset: number): readonly Uint8Array[] {
  const begin = Math.ceil((offset * 8) / 6);
  const bits = (offset + secret.length) * 8;
  const sure = Math.floor(bits / 6);
  const encoded = base64(secret, offset);
  const whole = Math.ceil(bits / 6);
  const ends = [...new Set([sure, whole, encoded.length])];
  const parts = ends.map((end) => wipeableCopy(encoded.subarray(begin, end)));
  wipe(encoded);
  return parts;
}

const DIGITS = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');

function base64(secret: Uint8Array, offset: number): Uint8Array {
  const length = offset + secret.length;
  const byteAt = (at: number): number => (at < offset ? 0 : (secret[at - offset] ?? 0));
  const out = wipeable(Math.ceil(length / 3) * 4).fill(0x3d);
  for (let bit = 0, at = 0; bit < length * 8; bit += 6, at += 1) {
    const pair = (byteAt(bit >> 3) << 8) | byteAt((bit >> 3) + 1);
    out[at] = DIGITS[(pair >> (10 - (bit & 7))) & 63]!;
  }
  return out;
}
