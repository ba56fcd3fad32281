// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { EMPTY_CHAIN, headOf, type ChainHead, type SealedEntry } from '../ledger/chain.ts';
import { leafHash } from '../ledger/digest.ts';
import { DEFAULT_LIMIT, type QueryFilter } from '../ledger/filter.ts';
import {
  checkChain, pageOf, UNKNOWN_APPEND, type LedgerStore, type QueryPage, type SegmentReader, type StoredEntry,
} from '../ledger/ledger-store.ts';
import { syncDirectory } from './durable-file.ts';
import { openAnchor, readAnchor, type AnchorFile } from './ledger-anchor.ts';
import { chainProblem, type KnownBefore } from './ledger-opening.ts';
import { createSegment, openSegment, type Segment } from './sqlite-segment.ts';

export type StoreOptions = {
  /** Everything of the store lies below; made when missing. */
  readonly directory: string;
  /** Id of the running boot. */
  readonly boot: string;
  readonly rowsPerSegment?: number;
};

const ROWS_PER_SEGMENT = 250_000;
const FILE = /^\d{10}\.db$/;
/** A search looks at so many entries between two chances for appends to go on. */
const WINDOW = 8192;

/** The ledger on disk: segments/0000000001.db and so on, named by their first entry, and `head`, what they reached. */
export function openSqliteLedgerStore({ directory, boot, rowsPerSegment = ROWS_PER_SEGMENT }: StoreOptions): LedgerStore {
  const folder = `${directory}/segments`;
  const anchorPath = `${directory}/head`;
  const open = new Map<number, Segment>();
  /** First entries of all segments, in order. */
  let firsts: number[] = [];
  /** The segment that takes entries; null until the next append opens it. */
  let active: Segment | null = null;
  let anchor: AnchorFile | null = null;
  let head: ChainHead = EMPTY_CHAIN;
  let counts: ReadonlyMap<string, number> = new Map();
  let problem: string | null = null;
  /** What the head is if a write that failed came through after all; null when nothing is open. */
  let doubtful: ChainHead | null = null;

  function pathOf(first: number): string {
    return `${folder}/${String(first).padStart(10, '0')}.db`;
  }

  function isSealed(first: number): boolean {
    return (statSync(pathOf(first)).mode & 0o200) === 0;
  }

  function segment(first: number): Segment {
    let found = open.get(first);
    if (found === undefined) {
      const takesEntries = first === firsts.at(-1) && !isSealed(first);
      found = openSegment(pathOf(first), takesEntries ? 'append' : 'read');
      open.set(first, found);
    }
    return found;
  }

  function close(first: number): void {
    open.get(first)?.close();
    open.delete(first);
  }

  function start(): void {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const names = readdirSync(folder);
    for (const name of names.filter((name) => name.endsWith('.new'))) rmSync(`${folder}/${name}`);
    firsts = names.filter((name) => FILE.test(name)).map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
    const noted = readAnchor(anchorPath);
    if (noted?.ok === true) {
      // Retention noted the new beginning and was then interrupted.
      while (firsts.length > 1 && firsts[1]! <= noted.value.first) drop(firsts[0]!);
    }
    const known: KnownBefore = noted === null ? null : noted.ok ? noted.value : noted.error;
    try {
      const segments = firsts.map(segment);
      problem = chainProblem(segments, known, boot);
      head = headBy(segments.at(-1));
      counts = countsBy(segments.at(-1));
    } catch (fault) {
      problem ??= `a segment cannot be read: ${messageOf(fault)}`;
    }
    if (problem === null) anchor = openAnchor(anchorPath, { v: 1, boot, first: firsts[0] ?? 1, head, next: null, closed: false });
    // The chain should have reached what was noted; verify then names the first entry that is missing.
    else if (noted?.ok === true) head = noted.value.head;
  }

  function drop(first: number): void {
    close(first);
    unlinkSync(pathOf(first));
    syncDirectory(folder);
    firsts = firsts.filter((other) => other !== first);
  }

  function activate(): Segment {
    const last = firsts.at(-1);
    if (active === null && last !== undefined && !isSealed(last)) active = segment(last);
    if (active !== null && head.seq - active.first + 1 >= rowsPerSegment) {
      const full = active;
      active = null;
      open.delete(full.first);
      full.seal();
    }
    if (active === null) {
      const first = head.seq + 1;
      createSegment(pathOf(first), { first, prev: head.hash, sources: Object.fromEntries(counts) });
      firsts.push(first);
      active = segment(first);
    }
    return active;
  }

  function append(batch: readonly SealedEntry[]): void {
    if (doubtful !== null) settleDoubt(doubtful);
    if (problem !== null || anchor === null) throw new Error(problem ?? 'the ledger is closed');
    if (batch.length === 0) return;
    checkChain(head, batch);
    const next = headOf(batch.at(-1)!);
    try {
      const target = activate();
      anchor.write({ v: 1, boot, first: firsts[0]!, head, next, closed: false }, false);
      target.append(batch);
    } catch (fault) {
      doubtful = next;
      settleDoubt(next);
      throw fault;
    }
    head = next;
    noteHead(anchor);
    counts = new Map([...counts, ...batch.map(({ entry }) => [entry.source, entry.source_seq] as const)]);
  }

  /** From here on the loss of these entries shows. A note that cannot be written stays as true as it was. */
  function noteHead(file: AnchorFile): void {
    try {
      file.write({ v: 1, boot, first: firsts[0]!, head, next: null, closed: false }, false);
    } catch {
      // The next append meets the same fault before it writes anything, and is refused.
    }
  }

  /** After a failed write only a new look at the file tells what it holds. Throws when it holds the entries, or when nobody can tell. */
  function settleDoubt(next: ChainHead): void {
    active = null;
    let found = EMPTY_CHAIN;
    try {
      const last = firsts.at(-1);
      if (last !== undefined) close(last);
      const reopened = last === undefined ? undefined : segment(last);
      found = headBy(reopened);
      counts = countsBy(reopened);
    } catch (fault) {
      throw unknownAppend(messageOf(fault));
    }
    doubtful = null;
    if (found.seq === head.seq && found.hash === head.hash) return;
    if (found.seq === next.seq && found.hash === next.hash) {
      head = next;
      // The entries are there; whether they would outlast a power cut is what the failed write left open.
      throw unknownAppend('the write failed, yet the entries are there');
    }
    problem = `after a failed write the ledger ends at entry ${found.seq}, where it should end at ${head.seq}`;
  }

  async function query(filter: QueryFilter): Promise<QueryPage> {
    const limit = filter.limit ?? DEFAULT_LIMIT;
    const newestFirst = filter.newestFirst === true;
    const found: StoredEntry[] = [];
    const lowest = Math.max((filter.afterSeq ?? 0) + 1, firsts[0] ?? 1);
    const highest = Math.min((filter.beforeSeq ?? Infinity) - 1, head.seq);
    // One more than asked for tells whether there is a next page.
    for (let from = newestFirst ? highest : lowest; from >= lowest && from <= highest && found.length <= limit; ) {
      const first = firsts.findLast((candidate) => candidate <= from) ?? firsts[0]!;
      const end = (firsts.find((candidate) => candidate > from) ?? Infinity) - 1;
      const low = newestFirst ? Math.max(lowest, first, from - WINDOW + 1) : from;
      const high = newestFirst ? from : Math.min(highest, end, from + WINDOW - 1);
      found.push(...segment(first).search(filter, low - 1, high + 1, limit + 1 - found.length));
      from = newestFirst ? low - 1 : high + 1;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return pageOf(filter, found);
  }

  function pruneBefore(seq: number): number {
    if (anchor === null) return 0;
    const kept = firsts.findLast((first) => first <= seq) ?? firsts[0] ?? 1;
    // Noted first: a segment that is gone without a note counts as stolen.
    anchor.write({ v: 1, boot, first: kept, head, next: null, closed: false }, true);
    const dropped = firsts.filter((first) => first < kept);
    for (const first of dropped) drop(first);
    return dropped.length;
  }

  function closeAll(): void {
    for (const first of [...open.keys()]) close(first);
    active = null;
    anchor?.write({ v: 1, boot, first: firsts[0] ?? 1, head, next: null, closed: true }, true);
    anchor?.close();
    anchor = null;
  }

  start();
  chmodSync(directory, 0o700);
  return {
    head: () => head,
    counts: () => counts,
    problem: () => problem,
    append,
    query,
    segments: () => firsts.map((first) => lazily(first, segment)),
    pruneBefore,
    close: closeAll,
  };
}

/** Verify may meet a segment that cannot even be opened; that is then what it reports of it. */
function lazily(first: number, segment: (first: number) => Segment): SegmentReader {
  return {
    name: `${String(first).padStart(10, '0')}.db`,
    first,
    header: () => segment(first).header(),
    rows: (afterSeq, limit) => segment(first).rows(afterSeq, limit),
    schemaProblem: () => segment(first).schemaProblem(),
    indexProblem: (from, to) => segment(first).indexProblem(from, to),
    countProblem: (to) => segment(first).countProblem(to),
  };
}

function headBy(last: Segment | undefined): ChainHead {
  if (last === undefined) return EMPTY_CHAIN;
  const row = last.lastRow();
  if (row !== null) return { seq: row.seq, hash: leafHash(row.bytes) };
  const header = last.header();
  return { seq: header.first - 1, hash: header.prev };
}

function countsBy(last: Segment | undefined): ReadonlyMap<string, number> {
  return last === undefined ? new Map() : new Map([...Object.entries(last.header().sources), ...last.counts()]);
}

function unknownAppend(why: string): Error {
  return Object.assign(new Error(why), { code: UNKNOWN_APPEND });
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
