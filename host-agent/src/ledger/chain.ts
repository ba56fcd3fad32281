// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { leafHash } from './digest.ts';
import { canonicalJson } from './encode.ts';
import type { Entry, EntryDraft } from './entry.ts';

/** The last entry's sequence and leaf hash. */
export type ChainHead = { readonly seq: number; readonly hash: string };

export const EMPTY_CHAIN: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** An entry with its bytes, ready to be stored and not to be changed any more. */
export type SealedEntry = { readonly entry: Entry; readonly bytes: Uint8Array; readonly hash: string };

/** What the ledger, not the writer, says about an entry. */
export type Stamp = { readonly id: string; readonly source: string; readonly sourceSeq: number; readonly time: string };

/** So that an entry, escaped twice in an answer about it, still fits on one line of a socket. */
export const MAX_ENTRY_BYTES = 256 * 1024;

export function nextEntry(head: ChainHead, draft: EntryDraft, stamp: Stamp): Result<SealedEntry> {
  const entry: Entry = {
    v: 1,
    seq: head.seq + 1,
    id: stamp.id,
    source: stamp.source,
    source_seq: stamp.sourceSeq,
    time: stamp.time,
    prev: head.hash,
    kind: draft.kind,
    actor: draft.actor,
    trace: draft.trace,
    span: draft.span,
    data: draft.data,
  };
  let bytes: Uint8Array;
  try {
    bytes = canonicalJson(entry);
  } catch (fault) {
    if (fault instanceof TypeError) return refuse(fault.message);
    throw fault;
  }
  if (bytes.length > MAX_ENTRY_BYTES) {
    return refuse(`the entry would hold ${bytes.length} bytes and at most ${MAX_ENTRY_BYTES} are kept; write digests of large values`);
  }
  return accept({ entry, bytes, hash: leafHash(bytes) });
}

export function headOf(sealed: SealedEntry): ChainHead {
  return { seq: sealed.entry.seq, hash: sealed.hash };
}
