// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { openFetches } from '../daemon/fetches.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName, CallId, GrantId } from '../identity/ids.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { KNOWN_PRICES } from '../usage/known-prices.ts';
import { spentOf } from '../usage/account.ts';
import type { RecordedNetPermit } from '../tool-call/recorded-permit.ts';
import { bootMillis } from './clock.ts';
import { fetchByEgress } from './egress-fetch-client.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import { keptAccounts } from './kept-accounts.ts';

const dir = mkdtempSync('/tmp/holdfast-fetch-');
const path = join(dir, 'fetch.sock');
const GOOD = { ok: true, status: 200, headers: [['content-type', 'text/plain']], body: Buffer.from('hello').toString('base64'), truncated: false };
const REQUEST = { method: 'GET', scheme: 'https', host: 'a.example', port: 443, path: '/x?y', shown: '/x', headers: [['accept', '*/*']], body: null } as const;
let server: Server;
let asked: JsonValue[] = [];
let answer: (socket: Socket) => void;
let gone: Promise<void>;

function permit(ms = 60_000): RecordedNetPermit {
  return { call: 'c-1', agent: 'a', permit: { v: 1, kind: 'net', call: 'c-1', agent: 'a', host: 'a.example', port: 443, secrets: [], notAfter: bootMillis() + ms }, receipt: { seq: 1 } } as unknown as RecordedNetPermit;
}

beforeEach(async () => {
  asked = [];
  answer = (socket) => void writeJsonLine(socket, GOOD as unknown as JsonValue);
  server = createServer((socket) => {
    gone = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    readJsonLines(socket, { maxBytes: 1024 * 1024, onValue: (value) => (asked.push(value), answer(socket)), onViolation: () => undefined });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
});
afterEach(() => new Promise<void>((resolve) => void server.close(() => resolve())));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const never = new AbortController().signal;

test('permit, receipt and request go in one line, and the answer comes back', async () => {
  expect(await fetchByEgress(path, permit(), REQUEST, never)).toMatchObject({ ok: true, value: { status: 200, truncated: false } });
  const { shown: _, ...request } = REQUEST;
  expect(asked).toMatchObject([{ permit: { host: 'a.example' }, receipt: { seq: 1 }, request }]);
  expect(Object.keys((asked[0] as JsonObject)['request'] as JsonObject)).not.toContain('shown');
});

test.each<[string, (socket: Socket) => void, string]>([
  ['a refusal', (socket) => void writeJsonLine(socket, { ok: false, refusal: { rule: 'address.internal', message: 'No.', ask: null, retryAfterMs: null } }), 'No. (address.internal)'],
  ['something else', (socket) => void writeJsonLine(socket, { ok: true, status: 200 }), 'answered something else'],
  ['a status that is none', (socket) => void writeJsonLine(socket, { ...GOOD, status: 7 } as unknown as JsonValue), 'answered something else'],
  ['no JSON', (socket) => void socket.write('hello\n'), 'cannot be read'],
  ['nothing', (socket) => void socket.destroy(), 'went away'],
])('told as a refusal: %s', async (_, how, why) => {
  answer = how;
  expect(await fetchByEgress(path, permit(), REQUEST, never)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
});

test('nobody listens: said, with whom to ask', async () => {
  expect(await fetchByEgress(join(dir, 'none.sock'), permit(), REQUEST, never)).toMatchObject({ ok: false, error: expect.stringContaining('tell an operator') });
});

test('who cancels lets go of the connection, and so does the end of its time', async () => {
  answer = () => undefined;
  const cancel = new AbortController();
  const waiting = fetchByEgress(path, permit(), REQUEST, cancel.signal);
  setTimeout(() => cancel.abort(), 50);
  expect(await waiting).toMatchObject({ ok: false, error: 'it was ended before its answer' });
  await gone;
  expect(await fetchByEgress(path, permit(-1_950), REQUEST, never)).toMatchObject({ ok: false, error: 'there was no answer in time' });
  await gone;
});

test('a request takes from the quota of the day; revoked it ends', async () => {
  const accounts = keptAccounts(join(dir, 'usage'), () => ({ boot: 'b', bootMs: bootMillis(), wallMs: 0 }), () => undefined);
  const revoked = new Set<string>();
  const net = { rules: [], quota: { bytesPerDay: 10_000, requestsPerDay: 2 } };
  const fetches = openFetches({
    authorityOf: () => ({ net, budget: { costPerDay: null, tokensPerHour: null } }) as unknown as AgentAuthority,
    accounts,
    prices: () => KNOWN_PRICES,
    grants: { heldBy: () => { throw new Error('unused'); }, spend: () => { throw new Error('unused'); }, isRevoked: (id) => revoked.has(id) },
    send: (...request) => fetchByEgress(path, ...request),
  });
  const call = (n: number) => ({ ...permit(), call: `c-${n}` as CallId }) as RecordedNetPermit;
  expect(await fetches.fetch(call(1), REQUEST, [], never)).toMatchObject({ ok: true, value: { status: 200, received: 5 + 'content-type'.length + 'text/plain'.length + 4 } });
  const spent = accounts.read('a' as AgentName);
  expect(spent.ok && spentOf(spent.value.account, 'bytes', spent.value.now)).toBe(4 + 'accept'.length + 3 + 4 + 31);
  answer = () => undefined;
  const waiting = fetches.fetch(call(2), REQUEST, ['g-1' as GrantId], never);
  setTimeout(() => {
    revoked.add('g-1');
    fetches.look();
  }, 50);
  expect(await waiting).toMatchObject({ ok: false, error: 'it was ended before its answer' });
  expect(await fetches.fetch(call(3), REQUEST, [], never)).toMatchObject({ ok: false, error: expect.stringContaining('quota.requests') });
  expect(asked).toHaveLength(2);
  await accounts.close();
});
