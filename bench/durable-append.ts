// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openSqliteLedgerStore } from '../host-agent/src/effects/sqlite-ledger-store.ts';
import { appendQueue } from '../host-agent/src/ledger/append-queue.ts';
import { canonicalJson } from '../host-agent/src/ledger/encode.ts';
import type { EntryDraft } from '../host-agent/src/ledger/entry.ts';

// What a durable append costs against the floor that the disk sets: a loop that writes as many bytes to the end of a file
// and calls fdatasync. Both sides take turns, so that a disk that slows down slows both.

const ROUNDS = Number(process.env['ROUNDS'] ?? 40);
const PER_ROUND = 25;
const WRITERS = 64;

const draft: EntryDraft = {
  kind: 'call.outcome',
  actor: { type: 'agent', id: 'scout' },
  trace: '4bf92f3577b34da6a3ce929d0e0e4736',
  span: '00f067aa0ba902b7',
  data: {
    call: 'c-0001', intent: 41, agent: 'scout', tool: 'process.run', status: 'ok', exit: 0, output_digest: 'ab'.repeat(32),
    observed: { by: 'cgroup', cpu_usec: 1200 }, duration_ms: 31,
  },
};

// Beside the checkout: /tmp may lie in memory, where nothing is durable and nothing costs.
const place = join(import.meta.dirname, '../build');
mkdirSync(place, { recursive: true });
const folder = mkdtempSync(join(place, 'bench-append-'));
const store = openSqliteLedgerStore({ directory: `${folder}/ledger`, boot: 'bench' });
const queue = appendQueue({
  store,
  clock: () => ({ wallMs: Date.now(), bootMs: null }),
  random: () => randomBytes(10),
  later: setImmediate,
  onCommit: () => {},
  last: null,
});
const entry = Buffer.concat([canonicalJson(draft), Buffer.alloc(350, 0x20)]);
const file = openSync(`${folder}/floor`, 'wx');

function append(): Promise<void> {
  return new Promise((resolve, reject) => {
    queue.push('holdfastd', draft, (result) => (result.ok ? resolve() : reject(new Error(result.error))));
  });
}

async function writer(appends: number): Promise<void> {
  for (let n = 0; n < appends; n += 1) await append();
}

/** Microseconds for one entry. */
async function timed(entries: number, run: () => Promise<void> | void): Promise<number> {
  const begin = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - begin) / 1000 / entries;
}

function floorLoop(): void {
  for (let n = 0; n < PER_ROUND; n += 1) {
    writeSync(file, entry);
    fdatasyncSync(file);
  }
}

const single: number[] = [];
const grouped: number[] = [];
const floor: number[] = [];
try {
  for (let round = -3; round < ROUNDS; round += 1) {
    const times = [
      await timed(PER_ROUND, floorLoop),
      await timed(PER_ROUND, () => writer(PER_ROUND)),
      await timed(WRITERS * 4, async () => void (await Promise.all(Array.from({ length: WRITERS }, () => writer(4))))),
    ];
    // The first rounds warm up files and compiler.
    if (round >= 0) [floor, single, grouped].forEach((list, at) => list.push(times[at]!));
  }
} finally {
  store.close();
  closeSync(file);
  rmSync(folder, { recursive: true });
}

function quantile(list: readonly number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

function report(name: string, list: readonly number[], goal: number): void {
  const value = quantile(list, 0.5);
  const least = quantile(floor, 0.5);
  const line = { name, value: Math.round(value), unit: 'us', floor: Math.round(least), ratio: Number((value / least).toFixed(3)), goal };
  if (process.env['JSON'] === '1') process.stdout.write(`${JSON.stringify(line)}\n`);
  else {
    const spread = (of: readonly number[]): string => `${Math.round(quantile(of, 0.1))}–${Math.round(quantile(of, 0.9))}`;
    const ours = `${line.value} us an entry (${spread(list)})`;
    const base = `write+fdatasync ${line.floor} us (${spread(floor)})`;
    process.stdout.write(`${name}: ${ours}, ${base}, ratio ${line.ratio}, goal at most ${goal}\n`);
  }
}

report('durable append, one writer', single, 3);
report(`durable append, ${WRITERS} writers`, grouped, 0.5);
