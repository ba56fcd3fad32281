// SPDX-License-Identifier: Apache-2.0
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { VerifyAnswer } from '../effects/ledger-client.ts';
import { parseStrictJson } from '../door/strict-json.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { decodeEntry } from '../ledger/decode.ts';
import { leafHash } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';

/**
 * Checks entries that were saved with `holdfast log --json`: one after the other, without a gap, each pointing back to the one before.
 * Anybody could have made such a file whole; what it proves is that it is of one piece, up to the head it ends in.
 */
export async function verifyFile(path: string, range: { readonly from?: number; readonly to?: number }, stdin: NodeJS.ReadableStream): Promise<Result<VerifyAnswer>> {
  const shown = path === '-' ? 'standard input' : path;
  let previous: { readonly seq: number; readonly hash: string } | null = null;
  let first: number | null = null;
  let line = 0;
  try {
    for await (const text of createInterface({ input: path === '-' ? stdin : createReadStream(path, 'utf8'), crlfDelay: Infinity })) {
      line += 1;
      if (text === '') continue;
      const read = entryAt(text);
      const bad = (reason: string): Result<VerifyAnswer> =>
        accept({ bad: { seq: previous === null ? (range.from ?? 1) : previous.seq + 1, segment: `${shown}:${line}`, reason } });
      if (!read.ok) return bad(read.error);
      const { entry, hash } = read.value;
      if (entry.seq < (range.from ?? 1)) continue;
      if (entry.seq > (range.to ?? Number.MAX_SAFE_INTEGER)) break;
      if (previous !== null && entry.seq !== previous.seq + 1) return bad(`the entry is missing: the next one is ${entry.seq}`);
      if (previous !== null && entry.prev !== previous.hash) return bad('its previous hash is not that of the entry before it');
      previous = { seq: entry.seq, hash };
      first ??= entry.seq;
    }
  } catch (fault) {
    return refuse(`cannot read ${shown}: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
  if (previous === null || first === null) return refuse(`${shown} holds no entry of that range`);
  return accept({ verified: previous.seq - first + 1, first, last: previous.seq, head: previous });
}

/** An entry holds arguments, which may nest as deep as the door allows. */
const ENTRY_LIMITS = { maxDepth: 128 };

function entryAt(text: string): Result<{ readonly entry: { readonly seq: number; readonly prev: string }; readonly hash: string }> {
  const read = parseStrictJson(text, ENTRY_LIMITS);
  if (!read.ok) return refuse(`the line is no JSON of an entry: ${read.error}`);
  let bytes: Uint8Array;
  try {
    bytes = canonicalJson(read.value);
  } catch {
    return refuse('the line says what no entry can say');
  }
  const entry = decodeEntry(bytes);
  return entry.ok ? accept({ entry: entry.value, hash: leafHash(bytes) }) : entry;
}
