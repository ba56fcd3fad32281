// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit } from '../sandbox/permit.ts';
import { KEPT_MAX } from './run-wire.ts';
import { connectRunner, type RunnerConnection } from './runner-client.ts';

// A runner has its agent's uid: here it is the agent that answers.

let dir: string;
let server: Server;
let connection: RunnerConnection;
/** What the runner writes to the request with this id; ids begin with 1 and go on over a new connection. */
let hostile: (id: number) => string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-run-'));
  server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const line of bytes.toString().trim().split('\n')) socket.write(hostile(JSON.parse(line).id as number));
    });
  });
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  connection = connectRunner(join(dir, 's'));
});
afterEach(() => {
  connection.close();
  server.close();
  rmSync(dir, { recursive: true });
});

const run = () => connection.run({} as Permit, {} as Receipt, null);
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

test.each(NO_FORM)('%s ends the connection and its calls, and no more', async (_, line) => {
  // The first call is not answered at all: it ends with the connection.
  hostile = (id) => (id % 2 === 1 ? '' : line(id));
  const [first, second] = await Promise.all([run(), run()]);
  for (const ended of [first, second]) expect(ended).toMatchObject({ ok: false, error: expect.stringMatching(/^connection: the runner went away/) });
  hostile = (id) => result(id);
  expect(await run()).toMatchObject({ ok: true });
});
