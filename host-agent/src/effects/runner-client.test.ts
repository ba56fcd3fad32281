// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit } from '../sandbox/permit.ts';
import { ANSWER_MS, KEPT_MAX } from './run-wire.ts';
import { connectRunner, type RunnerConnection } from './runner-client.ts';

// A runner has its agent's uid: here it is the agent that answers.

let dir: string;
let server: Server;
let closed = 0;
let asked = 0;
/** The machine's clock is ahead of the test's by so much. */
let ahead = 0;
let connection: RunnerConnection;
/** What the runner writes to the request with this id; ids begin with 1 and go on over a new connection. */
let hostile: (id: number) => string;

beforeEach(async () => {
  [closed, asked, ahead] = [0, 0, 0];
  dir = mkdtempSync(join(tmpdir(), 'holdfast-run-'));
  server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.on('close', () => (closed += 1));
    socket.on('data', (bytes) => {
      for (const line of bytes.toString().trim().split('\n')) {
        asked += 1;
        socket.write(hostile(JSON.parse(line).id as number));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  connection = connectRunner(join(dir, 's'), () => performance.now() + ahead);
});
afterEach(() => {
  connection.close();
  server.close();
  rmSync(dir, { recursive: true });
});

const run = (ms = 60_000, cancelled?: AbortSignal) => connection.run({ notAfter: Math.floor(performance.now()) + ms } as Permit, {} as Receipt, null, cancelled);
const RESULT: JsonObject = {
  exit: { code: 0 },
  deadline: false,
  stdout: '',
  stderr: 'aGk=',
  dropped: { stdout: 0, stderr: 0 },
  label: 'unconfined',
  observed: { by: 'cgroup', cpuUsec: 1, memoryPeak: null, tasksPeak: 2, wallMs: 3 },
};
const answer = (id: JsonValue, more: JsonObject): string => `${JSON.stringify({ id, ...more })}\n`;
const result = (id: number, change: JsonObject = {}): string => answer(id, { ok: true, result: { ...RESULT, ...change } });

test('an answer is read, and so are a refusal and every way to end', async () => {
  hostile = (id) => result(id);
  expect(await run()).toMatchObject({ ok: true, value: { exit: { code: 0 }, stderr: new Uint8Array([104, 105]) } });
  hostile = (id) => answer(id, { ok: false, error: 'receipt_late', message: 'too late' });
  expect(await run()).toEqual({ ok: false, error: 'receipt_late: too late' });
  for (const signal of ['SIGKILL', 'SIGSTKFLT', 'SIGPOLL', 'SIG34', 'SIG64']) {
    hostile = (id) => result(id, { exit: { signal } });
    expect(await run()).toMatchObject({ ok: true, value: { exit: { signal } } });
  }
});

const NO_FORM: readonly (readonly [string, (id: number) => string])[] = [
  ['an error that is an object', (id) => answer(id, { ok: false, error: {}, message: 'x' })],
  ['a message that is an object', (id) => answer(id, { ok: false, error: 'busy', message: {} })],
  ['an error without a message', (id) => answer(id, { ok: false, error: 'busy' })],
  ['an error that is no code', (id) => answer(id, { ok: false, error: 'connection: x', message: 'x' })],
  ['a message without end', (id) => answer(id, { ok: false, error: 'busy', message: 'x'.repeat(10_000) })],
  ['no ok', (id) => answer(id, { error: 'busy', message: 'x' })],
  ['ok that is an object', (id) => answer(id, { ok: {}, result: RESULT })],
  ['an id that is an object', () => answer({}, { ok: true, result: RESULT })],
  ['an id that nobody waits for', () => answer(77, { ok: true, result: RESULT })],
  ['a list', () => '[]\n'],
  ['no JSON', () => 'nope\n'],
  ['no result', (id) => answer(id, { ok: true })],
  ['a result that is a list', (id) => answer(id, { ok: true, result: [] })],
  ['an exit that is no number', (id) => result(id, { exit: { code: {} } })],
  ['an exit beyond 255', (id) => result(id, { exit: { code: 256 } })],
  ['an exit with both', (id) => result(id, { exit: { code: 0, signal: 'SIGKILL' } })],
  ['a signal without end', (id) => result(id, { exit: { signal: `SIG${'K'.repeat(100_000)}` } })],
  ['a signal that is none', (id) => result(id, { exit: { signal: 'SIG65' } })],
  ['a signal that is an object', (id) => result(id, { exit: { signal: {} } })],
  ['a deadline that is a word', (id) => result(id, { deadline: 'no' })],
  ['output that is no base64', (id) => result(id, { stdout: 'a b' })],
  ['more output than is kept', (id) => result(id, { stdout: Buffer.alloc(KEPT_MAX + 1).toString('base64') })],
  ['dropped that is a list', (id) => result(id, { dropped: [] })],
  ['a label that is an object', (id) => result(id, { label: {} })],
  ['a label without end', (id) => result(id, { label: 'x'.repeat(1024) })],
  ['observed by nobody', (id) => result(id, { observed: { by: {} } })],
  ['a negative peak', (id) => result(id, { observed: { by: 'cgroup', cpuUsec: 1, memoryPeak: -1, wallMs: 3 } })],
];

test.each(NO_FORM)('%s ends the connection and its calls, and no more (B12)', async (_, line) => {
  // The first call is not answered at all: it ends with the connection.
  hostile = (id) => (id % 2 === 1 ? '' : line(id));
  const [first, second] = await Promise.all([run(), run()]);
  for (const ended of [first, second]) expect(ended).toMatchObject({ ok: false, error: expect.stringMatching(/^connection: the runner went away/) });
  hostile = (id) => result(id);
  expect(await run()).toMatchObject({ ok: true });
});

const CUT_OFF = { ok: false, error: expect.stringMatching(/^connection: the runner went away .* did not answer .* was cut off$/) };

test('one that never answers is waited for as long as the call lasts and a little, and loses all it holds', async () => {
  hostile = () => '';
  // The first has all the time of the world.
  expect(await Promise.all([run(), run(50 - ANSWER_MS)])).toEqual([CUT_OFF, CUT_OFF]);
  await vi.waitFor(() => expect(closed).toBe(1));
  hostile = (id) => result(id);
  expect(await run()).toMatchObject({ ok: true });
});

test('one that answers late, but within that, is heard', async () => {
  let answers = (): void => undefined;
  server.removeAllListeners('connection');
  server.on('connection', (socket) => socket.on('data', () => (answers = () => void socket.write(result(1)))));
  const ran = run(-1000);
  await new Promise((resolve) => setTimeout(resolve, 100));
  answers();
  expect(await ran).toMatchObject({ ok: true });
});

test.each([
  ['end a call that it is told to end', (signal: AbortSignal) => run(3_600_000, signal)],
  ['say anything of a container', () => connection.container('web', 'stop')],
])('one that does not %s is waited for no longer', async (_, ask) => {
  hostile = () => '';
  const cancelled = new AbortController();
  let ended: unknown = null;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    void ask(cancelled.signal).then((answer) => (ended = answer));
    while (asked === 0) await new Promise(setImmediate);
    cancelled.abort();
    vi.advanceTimersByTime(ANSWER_MS / 2);
    await new Promise(setImmediate);
    expect([ended, closed]).toEqual([null, 0]);
    ahead = ANSWER_MS;
    vi.advanceTimersByTime(ANSWER_MS);
    while (closed === 0) await new Promise(setImmediate);
    expect(ended).toEqual(CUT_OFF);
  } finally {
    vi.useRealTimers();
  }
});
