// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test } from 'vitest';
import type { LedgerReader } from '../effects/ledger-client.ts';
import { nextEntry } from '../ledger/chain.ts';
import type { EntryKind, JsonObject } from '../ledger/entry.ts';
import { memoryLedgerStore } from '../ledger/ledger-store.ts';
import { findTarget } from './restore-target.ts';

let store: ReturnType<typeof memoryLedgerStore>;
let ledger: LedgerReader;

beforeEach(() => {
  store = memoryLedgerStore();
  const query: LedgerReader['query'] = async (filter) => {
    const { entries, next } = await store.query(filter);
    return { next, entries: entries.map(({ seq, bytes, hash }) => ({ seq, hash, bytes: Buffer.from(bytes).toString() })) };
  };
  ledger = { query } as LedgerReader;
});

function add(kind: EntryKind, data: JsonObject): number {
  const seq = store.head().seq + 1;
  const sealed = nextEntry(store.head(), { kind, actor: { type: 'system', id: 'holdfastd' }, trace: null, span: null, data: { agent: 'a', ...data } }, { id: '01936b3e-0000-7000-8000-000000000000', source: 'holdfastd', sourceSeq: seq, time: '2030-01-01T00:00:00.000Z' });
  if (!sealed.ok) throw new Error(sealed.error);
  store.append([sealed.value]);
  return seq;
}

const started = (n: number): number => add('agent.started', { session: `s-0${n}`, restore: [`p-0${n}`] });
const stopped = (): number => add('agent.stopped', { reason: 'exited', result: null });
const point = (id: string): number => add('call.intent', { call: 'c-own', session: null, tool: 'restore.point', arguments: { point: id }, restore: [] });
const wrote = (session: string, call: string): number => add('call.intent', { call, session, tool: 'fs.write', arguments: {}, restore: ['p-x'] });
const target = async (word: string): Promise<unknown> => {
  const found = await findTarget(ledger, word, null);
  return found.ok ? found.value.target : found.error;
};

test('an agent stands for the run of its program, from its point to what was kept first after its end', async () => {
  point('p-01');
  const entry = started(1);
  wrote('s-0a', 'c-1');
  const run = { kind: 'run', point: 'p-01' };
  for (const word of ['a', 's-01', String(entry)]) expect(await target(word), word).toEqual({ ...run, after: [] });
  stopped();
  point('p-02');
  point('p-03');
  for (const word of ['a', 's-01', String(entry)]) expect(await target(word), word).toEqual({ ...run, after: ['p-02', 'p-03'] });
  // Its connections are sessions of their own all the same.
  expect(await target('s-0a')).toEqual({ kind: 'session', session: 's-0a', first: 'c-1' });
});

test('of its runs the last; where an end is not on record, as when the power went, the next start is one', async () => {
  point('p-01');
  started(1);
  point('p-02');
  started(2);
  expect(await target('s-01')).toEqual({ kind: 'run', point: 'p-01', after: ['p-02'] });
  expect(await target('a')).toEqual({ kind: 'run', point: 'p-02', after: [] });
});

test('what it did by calls after its run is its last session', async () => {
  started(1);
  stopped();
  wrote('s-0a', 'c-1');
  expect(await target('a')).toEqual({ kind: 'session', session: 's-0a', first: 'c-1' });
});

test('what nothing was kept of is said: a start of a mediated agent, an act of its own hands, what is not there', async () => {
  const entry = add('agent.started', {});
  const act = add('unmediated.file', { op: 'create', paths: ['/workspace/x'] });
  expect(await target('a')).toContain('nothing that an agent a did');
  expect(await target(String(entry))).toContain('about no call');
  expect(await target(String(act))).toContain('holdfast undo a [PATH]');
  expect(await target('s-09')).toContain('is long ago');
});

test('what became a repository in a second call is taken back with the put', async () => {
  const entry = (tool: string, call: string, given: JsonObject): number => add('call.intent', { call, session: null, tool, arguments: given, restore: [] });
  const put = entry('project.put', 'c-1', {});
  const clone = entry('project.clone', 'c-2', { put: 'c-1' });
  for (const seq of [put, clone]) expect(await target(String(seq))).toEqual({ kind: 'call', call: 'c-1' });
  expect(await target(String(entry('project.get', 'c-3', {})))).toContain('cannot be undone');
});
