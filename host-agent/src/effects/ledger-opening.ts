// SPDX-License-Identifier: Apache-2.0
import { EMPTY_CHAIN, type ChainHead } from '../ledger/chain.ts';
import { decodeEntry } from '../ledger/decode.ts';
import { derive, type Derived } from '../ledger/derive.ts';
import { leafHash } from '../ledger/digest.ts';
import type { StoredRow } from '../ledger/ledger-store.ts';
import type { Anchor } from './ledger-anchor.ts';
import type { Segment } from './sqlite-segment.ts';

/** What was noted of the ledger when it was last written: null when nothing ever was, a text when that cannot be told. */
export type KnownBefore = Anchor | string | null;

/**
 * Why no entry may follow what lies on disk, or null. This looks at the seams only (schema, ends of segments, newest entry,
 * the note of the head), so that opening takes no longer when the ledger grows; verify reads the rest.
 */
export function chainProblem(segments: readonly Segment[], known: KnownBefore, boot: string): string | null {
  if (typeof known === 'string') return known;
  if (known === null) return segments.length === 0 ? null : 'the note of the newest entry is missing beside the segments';
  if (segments.length === 0) return known.head.seq === 0 ? null : `every segment is gone; the ledger had reached entry ${known.head.seq}`;
  if (segments[0]!.first !== known.first) return `the ledger begins at entry ${segments[0]!.first}, and should at ${known.first}`;

  const ends: ChainHead[] = [];
  for (const segment of segments) {
    const schema = segment.schemaProblem();
    if (schema !== null) return `${segment.name}: ${schema}`;
    const header = segment.header();
    if (header.first !== segment.first) return `${segment.name}: its header begins at entry ${header.first}`;
    const end = ends.at(-1);
    if (end !== undefined && header.first !== end.seq + 1) return `${segment.name}: the segment before it ends at entry ${end.seq}`;
    const before = end?.hash ?? (header.first === 1 ? EMPTY_CHAIN.hash : header.prev);
    if (header.prev !== before) return `${segment.name}: it does not continue the chain`;
    const row = segment.lastRow();
    const broken = row === null ? null : rowProblem(row);
    if (broken !== null) return `${segment.name}: ${broken}`;
    ends.push(row === null ? { seq: header.first - 1, hash: header.prev } : { seq: row.seq, hash: row.hash });
  }
  return endProblem(segments, known, boot, ends.at(-1)!);
}

function rowProblem(row: StoredRow): string | null {
  const decoded = decodeEntry(row.bytes);
  if (leafHash(row.bytes) !== row.hash || !decoded.ok) return `its newest entry ${row.seq} was changed`;
  const derived = derive(decoded.value);
  const same = (Object.keys(derived) as (keyof Derived)[]).every((name) => derived[name] === row[name]);
  return same ? null : `a column of its newest entry ${row.seq} was changed`;
}

function endProblem(segments: readonly Segment[], known: Anchor, boot: string, end: ChainHead): string | null {
  const { head, next } = known;
  if (end.seq < head.seq) return `the ledger ends at entry ${end.seq}, and had reached ${head.seq}`;
  const exact = known.closed || known.boot === boot;
  if (exact) {
    const expected = [head, next].some((noted) => noted !== null && noted.seq === end.seq && noted.hash === end.hash);
    return expected ? null : `the ledger ends at entry ${end.seq} otherwise than it was left at ${next?.seq ?? head.seq}`;
  }
  // The power went: the note may be older than the newest entries, yet what it names must still be there.
  const holder = segments.findLast((segment) => segment.first <= head.seq);
  // Nothing recorded yet, or all of it pruned: the seams were compared above.
  if (holder === undefined) return null;
  const row = holder.rows(head.seq - 1, 1)[0];
  return row?.seq === head.seq && leafHash(row.bytes) === head.hash ? null : `entry ${head.seq} is not the one that was recorded`;
}
