// SPDX-License-Identifier: Apache-2.0
import { EMPTY_CHAIN, type ChainHead } from './chain.ts';
import { decodeEntry } from './decode.ts';
import { derive, type Derived } from './derive.ts';
import { leafHash } from './digest.ts';
import type { LedgerStore, SegmentReader, StoredRow } from './ledger-store.ts';

/** The first entry that is not as it was written, and how that shows. */
export type BadEntry = { readonly seq: number; readonly segment: string; readonly reason: string };
export type Verdict =
  | { readonly ok: true; readonly verified: number; readonly first: number; readonly last: number; readonly head: ChainHead }
  | { readonly ok: false; readonly bad: BadEntry };

export type Range = { readonly from?: number; readonly to?: number };

const ROWS_AT_ONCE = 200;

/** How far the walk has come. Its size depends on the number of writers, not of entries (E17). */
type Walk = { seq: number; hash: string; counts: Map<string, number>; whole: boolean };

/**
 * Reads every entry from..to and trusts nothing but the head that the store knew when this began. `pause` runs between
 * slices, so that appends go on meanwhile.
 */
export async function verifyLedger(store: LedgerStore, range: Range, pause: () => Promise<void>): Promise<Verdict> {
  const head = store.head();
  const segments = store.segments();
  const oldest = segments[0]?.first ?? head.seq + 1;
  const first = Math.max(range.from ?? 1, oldest);
  const last = Math.min(range.to ?? head.seq, head.seq);
  const walk: Walk = { seq: first - 1, hash: segments.length === 0 ? head.hash : '', counts: new Map(), whole: first === oldest };
  if (segments.length === 0 && head.seq > 0) return bad(1, '', 'every segment is gone');

  let entered = false;
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]?.first ?? Infinity;
    // One entry before the range and one after it are read for their hashes.
    if (next <= first - 1 || segment.first > last + 1) continue;
    const reason = entered ? enterNext(walk, segment) : enterFirst(walk, segment);
    if (reason !== null) return bad(walk.seq + 1, segment.name, reason);
    entered = true;
    const found = await walkSegment(walk, segment, first, last, pause);
    if (found !== null) return found;
  }
  if (walk.seq < last) return bad(walk.seq + 1, segments.at(-1)?.name ?? '', 'the entry is missing, and so is every later one');
  if (walk.seq === head.seq && walk.hash !== head.hash) {
    return bad(walk.seq, segments.at(-1)?.name ?? '', 'the newest entry is not the one that was last recorded');
  }
  const problem = store.problem();
  if (problem !== null) return bad(head.seq + 1, segments.at(-1)?.name ?? '', problem);
  return { ok: true, verified: Math.max(0, last - first + 1), first, last, head };
}

function bad(seq: number, segment: string, reason: string): Verdict {
  return { ok: false, bad: { seq, segment, reason } };
}

/** The first segment read gives the base. When older ones were pruned, its header is all that is left of them (R56). */
function enterFirst(walk: Walk, segment: SegmentReader): string | null {
  return readOr(() => {
    const broken = segment.schemaProblem();
    if (broken !== null) return broken;
    const header = segment.header();
    if (header.first !== segment.first) return `the segment's header begins at ${header.first}, its name at ${segment.first}`;
    if (header.first === 1 && (header.prev !== EMPTY_CHAIN.hash || Object.keys(header.sources).length > 0)) {
      return 'the header of the first segment does not begin an empty ledger';
    }
    if (header.first > walk.seq) {
      walk.hash = header.prev;
      walk.counts = new Map(Object.entries(header.sources));
    }
    return null;
  });
}

function enterNext(walk: Walk, segment: SegmentReader): string | null {
  return readOr(() => {
    const broken = segment.schemaProblem();
    if (broken !== null) return broken;
    const header = segment.header();
    if (header.first !== segment.first) return `the segment's header begins at ${header.first}, its name at ${segment.first}`;
    if (header.first !== walk.seq + 1) return `the entry is missing: the next segment begins at ${header.first}`;
    if (header.prev !== walk.hash) return 'the previous hash in the segment header is not that of the entry before it';
    if (!walk.whole) return null;
    const same = Object.keys(header.sources).length === walk.counts.size &&
      Object.entries(header.sources).every(([source, count]) => walk.counts.get(source) === count);
    return same ? null : 'the counts of the sources in the segment header are not those of the entries before it';
  });
}

async function walkSegment(
  walk: Walk,
  segment: SegmentReader,
  first: number,
  last: number,
  pause: () => Promise<void>,
): Promise<Verdict | null> {
  // The entry before the range is not judged; its bytes say what the first one must point back to.
  if (walk.hash === '') {
    const base = readOr(() => segment.rows(first - 2, 1));
    if (typeof base === 'string') return bad(first - 1, segment.name, base);
    const row = base[0];
    if (row?.seq !== first - 1) return bad(first - 1, segment.name, 'the entry is missing');
    walk.hash = leafHash(row.bytes);
  }
  for (let done = false; !done; ) {
    await pause();
    const begin = walk.seq + 1;
    const rows = readOr(() => segment.rows(walk.seq, ROWS_AT_ONCE));
    if (typeof rows === 'string') return bad(begin, segment.name, rows);
    done = rows.length < ROWS_AT_ONCE;
    for (const row of rows) {
      done ||= row.seq > last;
      if (row.seq > last && walk.seq < last) break;
      const reason = readOr(() => (row.seq > last ? follows(walk, row) : step(walk, row)));
      if (reason !== null) return bad(Math.min(row.seq, walk.seq + 1), segment.name, reason);
      if (row.seq > last) break;
    }
    const index = walk.seq < begin ? null : readOr(() => segment.indexProblem(begin, walk.seq));
    if (index !== null) return bad(begin, segment.name, index);
  }
  const count = walk.whole ? readOr(() => segment.countProblem(last)) : null;
  return count === null ? null : bad(walk.seq, segment.name, count);
}

/** One entry further, or the reason why this is not the entry that was written here. */
function step(walk: Walk, row: StoredRow): string | null {
  if (row.seq > walk.seq + 1) return `the entry is missing: the next one is ${row.seq}`;
  if (row.seq < walk.seq + 1) return `the entry is out of order or there twice: it comes after ${walk.seq}`;
  const hash = leafHash(row.bytes);
  if (hash !== row.hash) return 'its bytes were changed: they no longer have the recorded hash';
  const decoded = decodeEntry(row.bytes);
  if (!decoded.ok) return decoded.error;
  const entry = decoded.value;
  const derived = derive(entry);
  const column = (Object.keys(derived) as (keyof Derived)[]).find((name) => derived[name] !== row[name]);
  if (column !== undefined) return `the column ${column} says other than the entry's bytes`;
  if (entry.prev !== walk.hash) return 'its previous hash is not that of the entry before it';
  const counted = walk.counts.get(entry.source) ?? (walk.whole ? 0 : null);
  if (counted !== null && entry.source_seq !== counted + 1) {
    return `source_seq of ${entry.source} is ${entry.source_seq} after ${counted}`;
  }
  walk.seq = row.seq;
  walk.hash = hash;
  walk.counts.set(entry.source, entry.source_seq);
  return null;
}

/** The entry after the range is not judged, but what it points back to covers the last one of the range. */
function follows(walk: Walk, row: StoredRow): string | null {
  const decoded = decodeEntry(row.bytes);
  if (row.seq !== walk.seq + 1) return 'the entry is missing';
  return decoded.ok && decoded.value.prev === walk.hash ? null : 'its previous hash is not that of the entry before it';
}

/** What cannot be read counts as bad; the medium's own words are the reason. */
function readOr<T>(read: () => T): T | string {
  try {
    return read();
  } catch (fault) {
    return `cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`;
  }
}
