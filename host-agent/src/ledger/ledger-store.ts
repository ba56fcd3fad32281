// SPDX-License-Identifier: Apache-2.0
import { EMPTY_CHAIN, headOf, type ChainHead, type SealedEntry } from './chain.ts';
import { derive, type Derived } from './derive.ts';
import { DEFAULT_LIMIT, matches, MAX_PAGE_BYTES, type QueryFilter } from './filter.ts';

export type StoredEntry = { readonly seq: number; readonly bytes: Uint8Array; readonly hash: string };
/** An entry as it lies in the store, with the columns that queries use. */
export type StoredRow = Derived & StoredEntry;

/** Entries, and from where to go on (afterSeq, or beforeSeq when the newest come first); null when there are no more. */
export type QueryPage = { readonly entries: readonly StoredEntry[]; readonly next: number | null };

/** Where a segment begins: what the chain and each source's count had reached before it. */
export type SegmentHeader = { readonly first: number; readonly prev: string; readonly sources: Readonly<Record<string, number>> };

/** One segment, read piece by piece. Every method throws when the medium cannot be read. */
export type SegmentReader = {
  readonly name: string;
  /** By its name; the header must agree. */
  readonly first: number;
  readonly header: () => SegmentHeader;
  readonly rows: (afterSeq: number, limit: number) => readonly StoredRow[];
  /** Why schema or settings are not ours, or null. */
  readonly schemaProblem: () => string | null;
  /** Why the search structures over the rows from..to do not say what the rows say, or null. */
  readonly indexProblem: (from: number, to: number) => string | null;
  /** Why the search structures hold other than exactly the rows up to `to`, or null. */
  readonly countProblem: (to: number) => string | null;
};

/** `code` of the fault of an append of which nobody can tell whether it is recorded. */
export const UNKNOWN_APPEND = 'LEDGER_UNKNOWN';

/** The one place entries are kept. Only the process that holds the append socket has one. */
export type LedgerStore = {
  readonly head: () => ChainHead;
  /** How far each source has counted. */
  readonly counts: () => ReadonlyMap<string, number>;
  /** Why nothing can be appended, or null. Reading goes on as far as it can. */
  readonly problem: () => string | null;
  /** All or none; on disk when it returns. Throws when the entries are not recorded, or when that is not known. */
  readonly append: (batch: readonly SealedEntry[]) => void;
  readonly query: (filter: QueryFilter) => Promise<QueryPage>;
  readonly segments: () => readonly SegmentReader[];
  /** Drops whole sealed segments, oldest first, whose entries all come before `seq` (R56). Returns how many. */
  readonly pruneBefore: (seq: number) => number;
  readonly close: () => void;
};

export type MemorySegment = { header: SegmentHeader; rows: StoredRow[] };

/** A whole store without a medium. `raw` is the medium: tests damage it as an intruder would damage a file. */
export function memoryLedgerStore(rowsPerSegment = 250_000): LedgerStore & { readonly raw: MemorySegment[] } {
  const raw: MemorySegment[] = [];
  const counted = new Map<string, number>();
  let head = EMPTY_CHAIN;

  function append(batch: readonly SealedEntry[]): void {
    checkChain(head, batch);
    let active = raw.at(-1);
    if (active === undefined || active.rows.length >= rowsPerSegment) {
      active = { header: { first: head.seq + 1, prev: head.hash, sources: Object.fromEntries(counted) }, rows: [] };
      raw.push(active);
    }
    for (const sealed of batch) {
      active.rows.push(rowOf(sealed));
      counted.set(sealed.entry.source, sealed.entry.source_seq);
      head = headOf(sealed);
    }
  }

  async function query(filter: QueryFilter): Promise<QueryPage> {
    const found = raw.flatMap((segment) => segment.rows).filter((row) => matches(filter, row));
    return pageOf(filter, filter.newestFirst === true ? found.reverse() : found);
  }

  function pruneBefore(seq: number): number {
    let dropped = 0;
    while (raw.length > 1 && raw[1]!.header.first <= seq) {
      raw.shift();
      dropped += 1;
    }
    return dropped;
  }

  return {
    raw,
    head: () => head,
    counts: () => counted,
    problem: () => null,
    append,
    query,
    segments: () => raw.map(memorySegmentReader),
    pruneBefore,
    close: () => {},
  };
}

function memorySegmentReader(segment: MemorySegment): SegmentReader {
  return {
    name: `${segment.header.first}`,
    first: segment.header.first,
    header: () => segment.header,
    rows: (afterSeq, limit) => segment.rows.filter((row) => row.seq > afterSeq).slice(0, limit),
    schemaProblem: () => null,
    indexProblem: () => null,
    countProblem: (to) => {
      const kept = segment.rows.filter((row) => row.seq <= to);
      return new Set(kept.map((row) => row.seq)).size === kept.length ? null : 'an entry is there twice';
    },
  };
}

export function rowOf(sealed: SealedEntry): StoredRow {
  return { ...derive(sealed.entry), bytes: sealed.bytes, hash: sealed.hash };
}

/** A store takes only what continues its chain: a caller that sealed against an old head has a fault. */
export function checkChain(head: ChainHead, batch: readonly SealedEntry[]): void {
  let last = head;
  for (const sealed of batch) {
    if (sealed.entry.seq !== last.seq + 1 || sealed.entry.prev !== last.hash) {
      throw new Error(`cannot append entry ${sealed.entry.seq}: it does not follow entry ${last.seq}`);
    }
    last = headOf(sealed);
  }
}

/** Cuts what was found, in the order asked for, to one page. */
export function pageOf(filter: QueryFilter, found: readonly StoredEntry[]): QueryPage {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  let bytes = 0;
  let taken = 0;
  for (const row of found.slice(0, limit)) {
    bytes += row.bytes.length;
    if (taken > 0 && bytes > MAX_PAGE_BYTES) break;
    taken += 1;
  }
  const entries = found.slice(0, taken).map(({ seq, bytes: stored, hash }) => ({ seq, bytes: stored, hash }));
  return { entries, next: taken < found.length ? entries.at(-1)!.seq : null };
}
