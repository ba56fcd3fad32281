// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from '../ledger/entry.ts';
import { toBase64 } from './base64.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text when they are UTF-8, else as base64. Nothing is replaced: what an agent writes back is what it read. */
export type Encoded = { readonly encoding: 'text' | 'base64'; readonly content: string };

export function encodeBytes(bytes: Uint8Array): Encoded {
  try {
    return { encoding: 'text', content: utf8.decode(bytes) };
  } catch {
    return { encoding: 'base64', content: toBase64(bytes) };
  }
}

/** What a program wrote, cut to what a reply holds. `missing` counts every byte that is not in `content`. */
export function encodeOutput(bytes: Uint8Array, dropped: number, max: number): Encoded & { readonly missing: number } {
  const kept = trimTail(bytes.subarray(0, max), bytes.length > max || dropped > 0);
  return { ...encodeBytes(kept), missing: bytes.length - kept.length + dropped };
}

/** Something cut at a byte count may end inside a character, which must not turn text into base64. */
export function trimTail(bytes: Uint8Array, cut: boolean): Uint8Array {
  if (!cut) return bytes;
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes;
  }
  return bytes;
}

export function outputData(output: Encoded & { readonly missing: number }): JsonObject {
  return { encoding: output.encoding, content: output.content, missing_bytes: output.missing };
}
