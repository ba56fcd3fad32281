// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { EMPTY_CHAIN, type SealedEntry } from './chain.ts';
import { exampleChain } from './testdata/example-chain.ts';
import type { Derived } from './derive.ts';
import { leafHash } from './digest.ts';
import { canonicalJson } from './encode.ts';
import { memoryLedgerStore, rowOf, type LedgerStore, type MemorySegment, type StoredRow } from './ledger-store.ts';
import { verifyLedger, type Range, type Verdict } from './verify.ts';

const LENGTH = 60;
const chain = exampleChain(LENGTH);
const noPause = async (): Promise<void> => {};
const verify = (store: LedgerStore, range: Range = {}): Promise<Verdict> => verifyLedger(store, range, noPause);

type Damaged = LedgerStore & { readonly raw: MemorySegment[] };

function filled(entries: readonly SealedEntry[] = chain, rowsPerSegment = 25): Damaged {
  const store = memoryLedgerStore(rowsPerSegment);
  for (const entry of entries) store.append([entry]);
  return store;
}

function damaged(damage: (rows: StoredRow[], store: Damaged) => void): Damaged {
  const store = filled(chain, 1000);
  damage(store.raw[0]!.rows, store);
  return store;
}

test('an undamaged ledger is green', async () => {
  expect(await verify(filled())).toMatchObject({ ok: true, verified: LENGTH });
});

describe('E01: one byte of any column', () => {
  /** Every byte of every k-th entry, so that a full run (HOLDFAST_COUNT) mutates all. */
  const step = process.env['HOLDFAST_COUNT'] === undefined ? 7 : 1;

  test('every byte of the stored bytes, at its entry', async () => {
    const store = filled();
    for (let at = 0; at < LENGTH; at += step) {
      const segment = store.raw[Math.floor(at / 25)]!;
      const good = segment.rows[at % 25]!;
      for (let byte = 0; byte < good.bytes.length; byte += 1) {
        const bytes = Uint8Array.from(good.bytes);
        bytes[byte] = bytes[byte]! ^ (1 << (byte + at) % 8);
        segment.rows[at % 25] = { ...good, bytes };
        const verdict = await verify(store, { from: at + 1, to: at + 1 });
        if (verdict.ok || verdict.bad.seq !== at + 1) throw new Error(`byte ${byte} of entry ${at + 1}: ${JSON.stringify(verdict)}`);
      }
      segment.rows[at % 25] = good;
    }
    expect(await verify(store)).toMatchObject({ ok: true });
  });

  test('every character of every derived column, at its entry, and the hash too', async () => {
    for (const at of [0, 24, 25, 30, LENGTH - 1]) {
      const store = filled();
      const rows = store.raw[Math.floor(at / 25)]!.rows;
      const good = rows[at % 25]!;
      for (const column of Object.keys(good).filter((name) => name !== 'bytes' && name !== 'seq') as (keyof Derived | 'hash')[]) {
        for (const value of otherValues(good[column])) {
          rows[at % 25] = { ...good, [column]: value } as StoredRow;
          expect(await verify(store), `${column} of ${at + 1} as ${String(value)}`).toMatchObject({ ok: false, bad: { seq: at + 1 } });
        }
      }
      rows[at % 25] = good;
      expect(await verify(store)).toMatchObject({ ok: true });
    }
  });

  test('the sequence column', async () => {
    for (const [seq, reported] of [[7, 7], [9, 8], [900, 8], [-1, 8]] as const) {
      const store = damaged((rows) => (rows[7] = { ...rows[7]!, seq }));
      expect(await verify(store)).toMatchObject({ ok: false, bad: { seq: reported } });
    }
  });
});

function otherValues(value: string | number | null): (string | number | null)[] {
  if (value === null) return ['', 'x'];
  if (typeof value === 'number') return [value + 1, value - 1, String(value), null];
  const flipped = [...value].map((_letter, at) => value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ 1) + value.slice(at + 1));
  return [...flipped, value.slice(1), `${value} `, value.toUpperCase() === value ? `${value}x` : value.toUpperCase(), null];
}

/** Entry k with other data, hash and columns made to fit: what somebody writes who knows the format. */
function rewritten(entry: SealedEntry, data: Record<string, string>, prev = entry.entry.prev): SealedEntry {
  const changed = { ...entry.entry, data, prev };
  const bytes = canonicalJson(changed);
  return { entry: changed, bytes, hash: leafHash(bytes) };
}

describe('E02', () => {
  test.each<[string, (rows: StoredRow[], store: Damaged) => void, number, string]>([
    ['the first entry deleted', (rows) => rows.splice(0, 1), 1, 'is missing'],
    ['an entry deleted', (rows) => rows.splice(29, 1), 30, 'is missing'],
    ['the last entry deleted', (rows) => rows.splice(LENGTH - 1, 1), LENGTH, 'is missing'],
    ['a range deleted', (rows) => rows.splice(10, 20), 11, 'is missing'],
    ['the newest half deleted', (rows) => rows.splice(30), 31, 'is missing'],
    ['all deleted', (rows) => rows.splice(0), 1, 'is missing'],
    ['every segment deleted', (_rows, store) => store.raw.splice(0), 1, 'every segment is gone'],
    ['two neighbours swapped', (rows) => rows.splice(19, 2, rows[20]!, rows[19]!), 20, 'is missing'],
    [
      'two neighbours swapped, sequences repaired',
      (rows) => rows.splice(19, 2, { ...rows[20]!, seq: 20 }, { ...rows[19]!, seq: 21 }),
      20,
      'the column seq',
    ],
    ['an entry twice', (rows) => rows.splice(19, 0, rows[19]!), 20, 'there twice'],
    ['an entry again under the next number', (rows) => rows.splice(20, 1, { ...rows[19]!, seq: 21 }), 21, 'the column seq'],
    [
      'a forged entry in between, hash made to fit',
      (rows) => rows.splice(19, 1, rowOf(rewritten(chain[19]!, { x: 'y' }))),
      21,
      'previous hash',
    ],
    [
      'a forged entry with another past',
      (rows) => rows.splice(19, 1, rowOf(rewritten(chain[19]!, { x: 'y' }, 'e'.repeat(64)))),
      20,
      'previous hash',
    ],
    [
      'the newest entry replaced, hash made to fit',
      (rows) => rows.splice(59, 1, rowOf(rewritten(chain[59]!, { x: 'y' }))),
      60,
      'not the one that was last recorded',
    ],
    ['the whole ledger rewritten', (rows) => rows.splice(0, LENGTH, ...forgedChain().map(rowOf)), 60, 'not the one that was last recorded'],
    ['the oldest segment deleted', (_rows, store) => {
      store.raw.splice(0, 1, ...filled(chain, 25).raw.slice(1));
      store.raw[0]!.header = { ...store.raw[0]!.header, first: 1 };
    }, 1, 'does not begin an empty ledger'],
  ])('%s', async (_what, damage, seq, reason) => {
    expect(await verify(damaged(damage))).toMatchObject({ ok: false, bad: { seq, reason: expect.stringContaining(reason) } });
  });

  function forgedChain(): SealedEntry[] {
    const forged: SealedEntry[] = [];
    for (const entry of chain) forged.push(rewritten(entry, { forged: 'all' }, forged.at(-1)?.hash ?? EMPTY_CHAIN.hash));
    return forged;
  }

  test.each<[string, (segments: MemorySegment[]) => void, number, string]>([
    ['a segment in the middle deleted', (segments) => segments.splice(1, 1), 26, 'the next segment begins at 51'],
    ['the newest segment deleted', (segments) => segments.splice(2, 1), 51, 'is missing'],
    [
      'a segment that points elsewhere',
      (segments) => (segments[1]!.header = { ...segments[1]!.header, prev: 'a'.repeat(64) }),
      26,
      'previous hash in the segment header',
    ],
    [
      'a segment with other counts',
      (segments) => (segments[1]!.header = { ...segments[1]!.header, sources: { holdfastd: 3 } }),
      26,
      'counts of the sources',
    ],
    ['the last entry of a segment deleted', (segments) => segments[0]!.rows.pop(), 25, 'the next segment begins at 26'],
  ])('%s', async (_what, damage, seq, reason) => {
    const store = filled();
    damage(store.raw);
    expect(await verify(store)).toMatchObject({ ok: false, bad: { seq, reason: expect.stringContaining(reason) } });
  });

  test('a count of a source that skips one is found though the chain is whole', async () => {
    const broken: SealedEntry[] = [];
    for (const { entry } of chain) {
      const skipped = entry.seq >= 30 && entry.source === 'root' ? 1 : 0;
      const changed = { ...entry, prev: broken.at(-1)?.hash ?? EMPTY_CHAIN.hash, source_seq: entry.source_seq + skipped };
      const bytes = canonicalJson(changed);
      broken.push({ entry: changed, bytes, hash: leafHash(bytes) });
    }
    expect(await verify(filled(broken))).toMatchObject({ ok: false, bad: { seq: 32, reason: 'source_seq of root is 9 after 7' } });
  });
});

describe('a range', () => {
  test('finds what lies in it, and what it rests on', async () => {
    const store = filled();
    const segment = store.raw[1]!;
    segment.rows[5] = rowOf(rewritten(chain[30]!, { x: 'y' }));
    expect(await verify(store, { from: 1, to: 30 })).toMatchObject({ ok: true });
    expect(await verify(store, { from: 33, to: 60 })).toMatchObject({ ok: true });
    expect(await verify(store, { from: 1, to: 31 })).toMatchObject({ ok: false, bad: { seq: 32 } });
    expect(await verify(store, { from: 31, to: 31 })).toMatchObject({ ok: false, bad: { seq: 32 } });
    expect(await verify(store, { from: 32, to: 40 })).toMatchObject({ ok: false, bad: { seq: 32 } });
  });

  test('ends at a segment border and still sees whether the next one continues', async () => {
    const store = filled();
    store.raw[0]!.rows[24] = rowOf(rewritten(chain[24]!, { x: 'y' }));
    expect(await verify(store, { from: 20, to: 25 })).toMatchObject({ ok: false, bad: { seq: 26 } });
  });

  test('an entry of the range that is gone does not keep it from ending', async () => {
    const store = filled(exampleChain(900), 1000);
    store.raw[0]!.rows.splice(99, 1);
    expect(await verify(store, { from: 50, to: 100 })).toMatchObject({ ok: false, bad: { seq: 100 } });
  });
});

test('what cannot be read counts as bad', async () => {
  const store = filled();
  const [first, second, third] = store.segments();
  const unreadable = { ...second!, rows: () => { throw new Error('disk image is malformed'); } };
  const verdict = await verify({ ...store, segments: () => [first!, unreadable, third!] });
  expect(verdict).toEqual({ ok: false, bad: { seq: 26, segment: '26', reason: 'cannot be read: disk image is malformed' } });
});

test('a problem of the store that the entries do not show is still a problem', async () => {
  const verdict = await verify({ ...filled(), problem: () => 'the note is gone' });
  expect(verdict).toMatchObject({ ok: false, bad: { seq: 61, reason: 'the note is gone' } });
});
