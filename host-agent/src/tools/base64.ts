// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

// ECMAScript 2026; the library that the type checker is set to does not describe it yet.
type WithBase64 = { fromBase64(text: string, options: { readonly lastChunkHandling: 'strict' }): Uint8Array };

export function toBase64(bytes: Uint8Array): string {
  return (bytes as Uint8Array & { toBase64(): string }).toBase64();
}

/** RFC 4648 section 4, with padding, without spaces, with zero bits in the last character: one text for one value. */
export function parseBase64(text: string): Result<Uint8Array> {
  // The standard's reader skips spaces; with one, this text would not be the only text for these bytes.
  if (!/[^A-Za-z0-9+/=]/.test(text)) {
    try {
      return accept((Uint8Array as unknown as WithBase64).fromBase64(text, { lastChunkHandling: 'strict' }));
    } catch {
      // Refused below: the reason is the same for whoever wrote the text.
    }
  }
  return refuse('must be base64 (RFC 4648, with padding, without spaces or line breaks)');
}
