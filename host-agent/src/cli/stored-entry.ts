// SPDX-License-Identifier: Apache-2.0
import type { ReadEntry } from '../effects/ledger-client.ts';
import { decodeEntry } from '../ledger/decode.ts';
import type { Entry } from '../ledger/entry.ts';

/** Null for bytes that are damaged: nothing they say can be relied on. */
export function entryOf(read: ReadEntry): Entry | null {
  if (read.damaged === true) return null;
  const entry = decodeEntry(new TextEncoder().encode(read.bytes));
  return entry.ok ? entry.value : null;
}
