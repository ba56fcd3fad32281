// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { Result } from '../identity/result.ts';
import { appendQueue, ownDraft, type AppendQueue } from './append-queue.ts';
import type { SealedEntry } from './chain.ts';
import { exampleDraft } from './testdata/example-chain.ts';
import type { ClockReading } from './clock-jump.ts';
import { memoryLedgerStore, UNKNOWN_APPEND, type LedgerStore } from './ledger-store.ts';
import { LEDGER_SOURCE } from './source.ts';
import { verifyLedger } from './verify.ts';

type Bench = {
  readonly queue: AppendQueue;
  readonly store: LedgerStore;
  readonly answers: Result<SealedEntry>[];
  readonly commits: number[];
  readonly push: (n: number) => void;
  readonly tick: () => void;
  clock: ClockReading;
};

function bench(store: LedgerStore = memoryLedgerStore(), last: ClockReading | null = null): Bench {
  const due: (() => void)[] = [];
  const answers: Result<SealedEntry>[] = [];
  const commits: number[] = [];
  let random = 0;
  const queue = appendQueue({
    store,
    clock: () => made.clock,
    random: () => new Uint8Array(10).fill((random += 1) % 256),
    later: (run) => void due.push(run),
    onCommit: (batch) => commits.push(batch.length),
    last,
  });
  const made: Bench = {
    queue, store, answers, commits,
    clock: { wallMs: Date.UTC(2030, 0, 1), bootMs: 1000 },
    push: (n) => queue.push('holdfastd', exampleDraft(n), (result) => answers.push(result)),
    tick: () => due.shift()?.(),
  };
  return made;
}

test('requests that gather are one commit, in the order they came, answered after it', async () => {
  const { push, tick, answers, commits, store } = bench();
  for (const n of [1, 2, 3]) push(n);
  expect(answers).toEqual([]);
  expect(store.head().seq).toBe(0);
  tick();
  expect(commits).toEqual([3]);
  const recorded = answers.map((result) => result.ok && [result.value.entry.seq, result.value.entry.data['call']]);
  expect(recorded).toEqual([[1, 'c1'], [2, 'c2'], [3, 'c3']]);
  expect(await verifyLedger(store, {}, async () => {})).toMatchObject({ ok: true, verified: 3 });
});

test('a flood is cut into commits, and the rest is not forgotten', () => {
  const { push, tick, commits, answers } = bench();
  for (let n = 0; n < 1300; n += 1) push(n);
  for (let n = 0; n < 5; n += 1) tick();
  expect(commits).toEqual([512, 512, 276]);
  expect(answers).toHaveLength(1300);
});

test('one that cannot be written is refused by itself', () => {
  const { queue, push, tick, answers, store } = bench();
  push(1);
  queue.push('holdfastd', { ...exampleDraft(2), data: { share: 0.5 } }, (result) => answers.push(result));
  push(3);
  tick();
  expect(answers.map(({ ok }) => ok).sort()).toEqual([false, true, true]);
  expect(store.head().seq).toBe(2);
});

describe('who may write what', () => {
  test.each<[string, Parameters<AppendQueue['push']>[1], boolean]>([
    ['holdfastd', exampleDraft(1), true],
    ['root', { ...exampleDraft(1), kind: 'configuration.changed' }, true],
    [LEDGER_SOURCE, ownDraft('boot', {}), true],
    ['holdfastd', ownDraft('boot', {}), false],
    ['holdfastd', ownDraft('clock.jumped', {}), false],
    ['root', { ...exampleDraft(1), kind: 'call.intent' }, false],
    ['root', { ...exampleDraft(1), kind: 'grant.given' }, false],
    [LEDGER_SOURCE, exampleDraft(1), false],
    ['somebody', exampleDraft(1), false],
  ])('%s, %j: %s', (source, draft, allowed) => {
    const { queue, tick, answers } = bench();
    queue.push(source, draft, (result) => answers.push(result));
    tick();
    expect(answers.map(({ ok }) => ok)).toEqual([allowed]);
  });
});

describe('when the store fails', () => {
  const failing = (fault: Error): LedgerStore => ({ ...memoryLedgerStore(), append: () => { throw fault; } });

  test('everybody is told that nothing was recorded', () => {
    const { push, tick, answers, commits } = bench(failing(new Error('database or disk is full')));
    for (const n of [1, 2]) push(n);
    tick();
    expect(answers).toEqual(Array(2).fill({ ok: false, error: 'ledger_unavailable: nothing was recorded; database or disk is full' }));
    expect(commits).toEqual([]);
  });

  test('unless nobody can know', () => {
    const { push, tick, answers } = bench(failing(Object.assign(new Error('input/output error'), { code: UNKNOWN_APPEND })));
    push(1);
    tick();
    expect(answers).toEqual([{ ok: false, error: 'ledger_unknown: input/output error' }]);
  });

  test('a clock before 1970 is told to everybody too', () => {
    const made = bench();
    made.clock = { wallMs: -1, bootMs: 0 };
    for (const n of [1, 2]) made.push(n);
    made.tick();
    expect(made.answers.map((answer) => answer.ok)).toEqual([false, false]);
  });
});

describe('E14: the clock', () => {
  test('a jump is an entry of the ledger before those that came with the new time', () => {
    const made = bench();
    made.push(1);
    made.tick();
    made.clock = { wallMs: made.clock.wallMs - 3_600_000, bootMs: 1010 };
    made.push(2);
    made.push(3);
    made.tick();
    made.push(4);
    made.tick();
    const rows = made.store.segments()[0]!.rows(0, 10);
    expect(rows.map(({ seq, kind, source }) => [seq, kind, source])).toEqual([
      [1, 'call.outcome', 'holdfastd'],
      [2, 'clock.jumped', LEDGER_SOURCE],
      [3, 'call.refused', 'holdfastd'],
      [4, 'grant.given', 'holdfastd'],
      [5, 'call.intent', 'holdfastd'],
    ]);
    expect(rows[2]!.time < rows[0]!.time).toBe(true);
  });

  test('a jump over a restart is seen by the newest entry', () => {
    const made = bench(memoryLedgerStore(), { wallMs: Date.UTC(2031, 0, 1), bootMs: null });
    made.push(1);
    made.tick();
    expect(made.store.segments()[0]!.rows(0, 10).map(({ kind }) => kind)).toEqual(['clock.jumped', 'call.outcome']);
  });
});
