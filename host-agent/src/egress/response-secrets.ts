// SPDX-License-Identifier: Apache-2.0
import type { Redactor } from '../secret/redaction.ts';
import type { Header } from './headers.ts';

// A host may say a key back to whoever sent it: in an error with its own request in it, in a header, in an address to go to. What is looked
// through must be readable here; nothing is unpacked (F10), so an answer that is packed does not pass.

/**
 * Null when the body is as it is. Else what it is packed in, as the host calls it: `raw` is Node's list, for a header that comes twice has
 * two values, and an encoding that is left out of the headers which the program gets would hide that it is one.
 */
export function packedIn(raw: readonly string[]): string | null {
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (name !== 'content-encoding' && name !== 'transfer-encoding') continue;
    const plain = name === 'content-encoding' ? 'identity' : 'chunked';
    const packed = raw[at + 1]!.split(',').map((coding) => coding.trim().toLowerCase()).find((coding) => coding !== '' && coding !== plain);
    if (packed !== undefined) return packed;
  }
  return null;
}

/** A header whose name holds a secret is left out: with a mark in it, it would be none. */
export function withoutSecrets(headers: readonly Header[], filter: Redactor): readonly Header[] {
  return headers.filter(([name]) => filter.text(name) === name).map(([name, value]): Header => [name, filter.text(value)]);
}
