// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, test } from 'vitest';
import { EMPTY_CHAIN, headOf, nextEntry, type SealedEntry } from './chain.ts';
import { exampleChain, exampleDraft } from './testdata/example-chain.ts';
import { derive } from './derive.ts';
import type { EntryDraft } from './entry.ts';
import { matches, MAX_PAGE_BYTES, type QueryFilter } from './filter.ts';
import { rowOf, type LedgerStore } from './ledger-store.ts';
import { uuid7 } from './uuid7.ts';
import { verifyLedger } from './verify.ts';

const noPause = async (): Promise<void> => {};

/** What every store promises; `open` gives an empty one with four entries to a segment. */
export function ledgerStoreContract(open: () => LedgerStore, closeAll: () => void): void {
  afterEach(closeAll);

  const chain = exampleChain(18);
  const filled = (): LedgerStore => {
    const store = open();
    for (let at = 0; at < chain.length; at += 2) store.append(chain.slice(at, at + 2));
    return store;
  };
  const seqs = (page: { entries: readonly { seq: number }[] }): number[] => page.entries.map(({ seq }) => seq);

  describe('appending', () => {
    test('an empty store has the empty chain and verifies', async () => {
      const store = open();
      expect(store.head()).toEqual(EMPTY_CHAIN);
      expect(store.counts().size).toBe(0);
      expect(store.problem()).toBeNull();
      expect(await store.query({})).toEqual({ entries: [], next: null });
      expect(await verifyLedger(store, {}, noPause)).toMatchObject({ ok: true, verified: 0 });
    });

    test('head and counts follow, segments turn over, all verifies', async () => {
      const store = filled();
      expect(store.head()).toEqual(headOf(chain.at(-1)!));
      expect(Object.fromEntries(store.counts())).toEqual({ holdfastd: 14, root: 4 });
      expect(store.segments().map(({ first }) => first)).toEqual([1, 5, 9, 13, 17]);
      expect(store.segments()[2]!.header()).toEqual({ first: 9, prev: chain[7]!.hash, sources: { holdfastd: 6, root: 2 } });
      expect(await verifyLedger(store, {}, noPause)).toEqual({ ok: true, verified: 18, first: 1, last: 18, head: store.head() });
    });

    test('rows are exactly what was sealed', () => {
      const store = filled();
      const rows = store.segments().flatMap((segment) => segment.rows(0, 100));
      expect(rows.map((row) => ({ ...row, bytes: Uint8Array.from(row.bytes) }))).toEqual(chain.map(rowOf));
    });

    test.each<[string, SealedEntry[]]>([
      ['an entry twice', [chain[5]!, chain[5]!]],
      ['an entry too late', [chain[7]!]],
      ['an entry of the past', [chain[2]!]],
      ['the right number with another past', exampleChain(1, { seq: 5, hash: 'f'.repeat(64) })],
      ['a good one and then a bad one', [chain[5]!, chain[7]!]],
    ])('%s is a fault and changes nothing', async (_what, batch) => {
      const store = open();
      store.append(chain.slice(0, 5));
      const before = store.head();
      expect(() => store.append(batch)).toThrow('it does not follow entry');
      expect(store.head()).toEqual(before);
      store.append(chain.slice(5, 6));
      expect(await verifyLedger(store, {}, noPause)).toMatchObject({ ok: true, verified: 6 });
    });
  });

  describe('queries', () => {
    const filters: QueryFilter[] = [
      {},
      { kind: 'call.refused' },
      { actor: 'user:alice' },
      { agent: 'scout', kind: 'call.intent' },
      { outcome: 'refused', newestFirst: true },
      { outcome: 'ok' },
      { tool: 'fs.write' },
      { trace: '3'.padStart(32, '0') },
      { since: '2030-01-01T00:00:07.000Z', until: '2030-01-01T00:00:11.000Z' },
      { afterSeq: 3, beforeSeq: 12, newestFirst: true },
      { agent: 'nobody' },
      { afterSeq: 100 },
      { beforeSeq: 1 },
    ];

    test.each(filters.map((filter) => [filter]))('%j finds what matches it, in its order', async (filter) => {
      const store = filled();
      const expected = chain.filter(({ entry }) => matches(filter, derive(entry))).map(({ entry }) => entry.seq);
      expect(seqs(await store.query(filter))).toEqual(filter.newestFirst === true ? expected.reverse() : expected);
    });

    test.each([false, true])('pages join without a gap or a double, newestFirst %s', async (newestFirst) => {
      const store = filled();
      for (const limit of [1, 2, 3, 4, 5, 17, 18, 19]) {
        const found: number[] = [];
        let next: number | null = null;
        do {
          const from: QueryFilter = next === null ? {} : newestFirst ? { beforeSeq: next } : { afterSeq: next };
          const page = await store.query({ kind: 'call.refused', limit, newestFirst, ...from });
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          found.push(...seqs(page));
          next = page.next;
        } while (next !== null);
        expect(found).toEqual(newestFirst ? [18, 14, 10, 6, 2] : [2, 6, 10, 14, 18]);
      }
    });

    test('what comes back is the bytes that were written, with their hash', async () => {
      const page = await filled().query({ afterSeq: 6, limit: 1 });
      expect(Uint8Array.from(page.entries[0]!.bytes)).toEqual(chain[6]!.bytes);
      expect(page.entries[0]!.hash).toBe(chain[6]!.hash);
    });

    test('a page ends before it would be too long for a line', async () => {
      const store = open();
      for (let n = 1; n <= 4; n += 1) {
        const stamp = { id: uuid7(n, new Uint8Array(10)), source: 'holdfastd', sourceSeq: n, time: '2030-01-01T00:00:00.000Z' };
        const draft: EntryDraft = { ...exampleDraft(n), data: { text: '"'.repeat(MAX_PAGE_BYTES / 6) } };
        const next = nextEntry(store.head(), draft, stamp);
        if (!next.ok) throw new Error(next.error);
        store.append([next.value]);
      }
      expect(await store.query({ limit: 4 })).toMatchObject({ entries: [{ seq: 1 }, { seq: 2 }], next: 2 });
    });
  });

  describe('retention (R56)', () => {
    test('whole segments go, oldest first, and the rest still verifies', async () => {
      const store = filled();
      expect(store.pruneBefore(4)).toBe(0);
      expect(store.pruneBefore(12)).toBe(2);
      expect(store.segments()[0]!.first).toBe(9);
      expect(await verifyLedger(store, {}, noPause)).toMatchObject({ ok: true, verified: 10, first: 9, last: 18 });
      expect(seqs(await store.query({ limit: 2 }))).toEqual([9, 10]);
      expect(seqs(await store.query({ afterSeq: 2, limit: 2 }))).toEqual([9, 10]);
    });

    test('the segment that takes entries stays, and the chain goes on', async () => {
      const store = filled();
      store.pruneBefore(1_000);
      expect(store.segments().map(({ first }) => first)).toEqual([17]);
      store.append(exampleChain(3, store.head(), new Map(store.counts())));
      expect(await verifyLedger(store, {}, noPause)).toMatchObject({ ok: true, verified: 5, first: 17, last: 21 });
    });
  });

  describe('verifying a range', () => {
    test.each([[1, 18], [1, 4], [4, 5], [5, 8], [6, 6], [18, 18], [9, 18], [2, 17]])('%i to %i', async (from, to) => {
      const verdict = await verifyLedger(filled(), { from, to }, noPause);
      expect(verdict).toMatchObject({ ok: true, verified: to - from + 1, first: from, last: to });
    });

    test('entries appended meanwhile do not disturb it', async () => {
      const store = filled();
      const verdict = await verifyLedger(store, {}, async () => {
        if (store.head().seq < 22) store.append(exampleChain(1, store.head(), new Map(store.counts())));
      });
      expect(verdict).toMatchObject({ ok: true, verified: 18, last: 18 });
      expect(store.head().seq).toBe(22);
    });
  });
}
