// SPDX-License-Identifier: Apache-2.0
import Database from 'better-sqlite3';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exampleChain } from '../ledger/testdata/example-chain.ts';
import { sha256Hex } from '../ledger/digest.ts';
import type { QueryFilter } from '../ledger/filter.ts';
import type { LedgerStore } from '../ledger/ledger-store.ts';
import { verifyLedger } from '../ledger/verify.ts';
import { openSqliteLedgerStore } from './sqlite-ledger-store.ts';
import { INDEXES } from './sqlite-schema.ts';

// E13. Most of a flipped file's bits matter; some lie in space that SQLite does not use. "Accepted" is therefore allowed in
// one case only: everything that can be read, by every way of reading it, is exactly what was written.

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 150);
const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hf-flips-'));
const closed = `${base}/closed`;
const killed = `${base}/killed`;
const trial = `${base}/trial`;
const FILES = ['0000000001.db', '0000000041.db'];
let expected = '';

const open = (directory: string): LedgerStore => openSqliteLedgerStore({ directory, boot: 'boot-1', rowsPerSegment: 40 });

beforeAll(async () => {
  const store = open(closed);
  for (let n = 0; n < 8; n += 1) store.append(exampleChain(10, store.head(), new Map(store.counts())));
  cpSync(closed, killed, { recursive: true });
  store.close();
  const reopened = open(closed);
  expected = await contents(reopened);
  expect(reopened.problem()).toBeNull();
  reopened.close();
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Entries through every kind of search, and every column. */
async function contents(store: LedgerStore): Promise<string> {
  const filters: QueryFilter[] = [
    {}, { newestFirst: true }, { kind: 'call.refused' }, { actor: 'agent:scout' }, { agent: 'builder' }, { tool: 'fs.write' },
    { outcome: 'ok' }, { trace: '3'.padStart(32, '0') },
  ];
  const answers = [];
  for (const filter of filters) {
    const page = await store.query({ ...filter, limit: 1000 });
    answers.push(page.entries.map(({ seq, bytes, hash }) => [seq, Buffer.from(bytes).toString('hex'), hash]));
  }
  const rows = store.segments().map((segment) => [segment.header(), segment.rows(0, 1000).map((row) => ({ ...row, bytes: null }))]);
  return sha256Hex(Buffer.from(JSON.stringify([answers, rows])));
}

/** Every search structure in its own order. */
function structures(directory: string): string {
  const orders = FILES.map((file) => {
    const db = new Database(`${directory}/segments/${file}`);
    const indexed = INDEXES.map(({ name, on, optional }) => {
      const where = optional ? `WHERE ${on} IS NOT NULL` : '';
      return db.prepare(`SELECT ${on}, seq FROM entry INDEXED BY ${name} ${where} ORDER BY ${on}, seq`).raw().all();
    });
    const ids = db.prepare('SELECT id, seq FROM entry ORDER BY id').raw().all();
    const counts = db.prepare('SELECT source, source_seq, seq FROM entry ORDER BY source, source_seq').raw().all();
    db.close();
    return [indexed, ids, counts];
  });
  return sha256Hex(Buffer.from(JSON.stringify(orders)));
}

/** A bit of the file, chosen by a generator that the printed seed repeats. */
function flip(file: string, seed: number): void {
  const bytes = readFileSync(file);
  // Numerical Recipes' constants; a good spread is all that is asked of it.
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  next(2);
  const at = next(bytes.length);
  bytes[at] = bytes[at]! ^ (1 << next(65536) % 8);
  const { mode } = statSync(file);
  chmodSync(file, 0o600);
  writeFileSync(file, bytes);
  chmodSync(file, mode);
}

async function outcome(): Promise<'found' | 'harmless'> {
  const store = open(trial);
  try {
    const verdict = await verifyLedger(store, {}, async () => {});
    if (!verdict.ok) return 'found';
    expect(store.problem()).toBeNull();
    expect(await contents(store)).toBe(expected);
  } finally {
    store.close();
  }
  expect(structures(trial)).toBe(expectedStructures());
  return 'harmless';
}

let known: string | null = null;
function expectedStructures(): string {
  return (known ??= structures(closed));
}

async function flips(from: string, files: readonly string[], seed: number): Promise<{ found: number; harmless: number }> {
  const seen = { found: 0, harmless: 0 };
  for (let n = 0; n < COUNT; n += 1) {
    rmSync(trial, { recursive: true, force: true });
    cpSync(from, trial, { recursive: true });
    const file = files[n % files.length]!;
    flip(`${trial}/${file}`, seed + n);
    try {
      seen[await outcome()] += 1;
    } catch (fault) {
      throw new Error(`bit flip ${seed + n} in ${file} was accepted`, { cause: fault });
    }
  }
  return seen;
}

test('the copies as they are verify, and hold what was written', async () => {
  for (const from of [closed, killed]) {
    rmSync(trial, { recursive: true, force: true });
    cpSync(from, trial, { recursive: true });
    expect(await outcome()).toBe('harmless');
  }
});

test('segments', async () => {
  const seed = Number(process.env['HOLDFAST_SEED'] ?? Date.now() % 2 ** 31);
  const seen = await flips(closed, FILES.map((name) => `segments/${name}`), seed);
  expect(seen.found).toBeGreaterThan(COUNT / 3);
}, 3_600_000);

test('the log of the segment that takes entries', async () => {
  const seed = Number(process.env['HOLDFAST_SEED'] ?? Date.now() % 2 ** 31);
  const seen = await flips(killed, ['segments/0000000041.db-wal'], seed);
  expect(seen.found).toBeGreaterThan(COUNT / 3);
}, 3_600_000);

test('the note of the head', async () => {
  const seed = Number(process.env['HOLDFAST_SEED'] ?? Date.now() % 2 ** 31);
  // The boot it was written in does not matter once it was closed in order.
  expect((await flips(closed, ['head'], seed)).found).toBeGreaterThan(COUNT * 0.9);
}, 3_600_000);
