// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { accept, refuse, type Result } from '../identity/result.ts';
import { readCanonical } from '../ledger/read-canonical.ts';

// What host-agent/native/file-tool writes: records of NUL-ended fields on stdout, one JSON line of facts or of an error on
// stderr. Names and lines are bytes that an agent or anybody else chose; the frame around them is ours and is read strictly.

const KINDS = ['file', 'directory', 'link', 'fifo', 'socket', 'block', 'character', 'unknown'] as const;

export type FileRecord = {
  readonly kind: (typeof KINDS)[number];
  readonly size: number;
  /** RFC 3339, UTC. */
  readonly modified: string;
  readonly mode: string;
  readonly name: string;
  /** Where a link points; null for everything else. */
  readonly target: string | null;
};

export type MatchRecord = { readonly path: string; readonly line: number; readonly text: string };

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

/** A name as it is; one that is no UTF-8 with its odd bytes as \xHH, which is to be read and cannot be asked for. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : hex(byte))).join('');
  }
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** Fields in groups of `width`. With `cut` the last, unfinished group is left out; without, there must be none. */
export function readGroups(bytes: Uint8Array, width: number, cut: boolean): Result<readonly (readonly Uint8Array[])[]> {
  const groups: Uint8Array[][] = [];
  let group: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0, start); end !== -1; end = bytes.indexOf(0, start)) {
    group.push(bytes.subarray(start, end));
    start = end + 1;
    if (group.length < width) continue;
    groups.push(group);
    group = [];
  }
  if (!cut && (group.length > 0 || start < bytes.length)) return refuse('the last record is not whole');
  return accept(groups);
}

export function parseFileRecords(bytes: Uint8Array, cut: boolean): Result<readonly FileRecord[]> {
  const groups = readGroups(bytes, 6, cut);
  if (!groups.ok) return groups;
  const records: FileRecord[] = [];
  for (const group of groups.value) {
    const record = readFileRecord(group);
    if (record === null) return refuse('a record has a field of another form');
    records.push(record);
  }
  return accept(records);
}

function readFileRecord(group: readonly Uint8Array[]): FileRecord | null {
  const [word, bytes, mtime, bits, name, target] = group as unknown as Six;
  const kind = KINDS.find((known) => known === lossy.decode(word));
  const size = wholeNumber(bytes);
  const modified = timeOf(lossy.decode(mtime));
  const mode = /^[0-7]{1,4}$/.exec(lossy.decode(bits))?.[0].padStart(4, '0');
  if (kind === undefined || size === null || modified === null || mode === undefined || name.length === 0) return null;
  return { kind, size, modified, mode, name: decodeName(name), target: kind === 'link' ? decodeName(target) : null };
}

type Four = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
type Six = readonly [...Four, Uint8Array, Uint8Array];

export function parseMatchRecords(bytes: Uint8Array, cut: boolean): Result<readonly MatchRecord[]> {
  const groups = readGroups(bytes, 4, cut);
  if (!groups.ok) return groups;
  const records: MatchRecord[] = [];
  for (const group of groups.value) {
    const [word, path, line, text] = group as unknown as Four;
    const number = wholeNumber(line);
    if (lossy.decode(word) !== 'match' || number === null || number < 1 || path.length === 0) {
      return refuse('a record has a field of another form');
    }
    // A line is shown, not written back, so an odd byte in it may be replaced.
    records.push({ path: decodeName(path), line: number, text: lossy.decode(text) });
  }
  return accept(records);
}

/** Nanoseconds since 1970, before it with a minus sign. */
function timeOf(nanoseconds: string): string | null {
  if (!/^-?[0-9]{1,19}$/.test(nanoseconds)) return null;
  const time = new Date(Number(BigInt(nanoseconds) / 1_000_000n));
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

export function wholeNumber(bytes: Uint8Array): number | null {
  const text = lossy.decode(bytes);
  const value = Number(text);
  return /^(?:0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(value) ? value : null;
}

export const fileFault = z.strictObject({ errno: z.string().regex(/^E[A-Z0-9]+$/), what: z.string(), path: z.string().optional() });

/** The one line on stderr; null when it is anything else, such as a word of a sandbox that could not be built. */
export function parseFactLine<T>(bytes: Uint8Array, schema: z.ZodType<T>): T | null {
  const text = lossy.decode(bytes);
  if (!text.endsWith('\n') || text.indexOf('\n') !== text.length - 1) return null;
  try {
    const read = schema.safeParse(readCanonical(text.slice(0, -1)));
    return read.success ? read.data : null;
  } catch {
    return null;
  }
}
