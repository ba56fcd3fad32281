// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentName, CallId } from '../identity/ids.ts';
import { reserve, settle, spentOf, type Account, type Limits } from '../usage/account.ts';
import { keptAccounts, type KeptAccounts } from './kept-accounts.ts';

const A = 'a' as AgentName;
const LIMITS: Limits = { cost: 100, tokens: null, requests: null, bytes: null };
const ONE = { cost: 40, tokens: 1, requests: 1, bytes: 1 };

let dir: string;
let now: { boot: string; bootMs: number; wallMs: number };
let lost: { readonly agent: AgentName; readonly calls: readonly CallId[] }[];

beforeEach(() => {
  dir = mkdtempSync('/tmp/holdfast-accounts-');
  now = { boot: 'b1', bootMs: 1_000, wallMs: 1_700_000_000_000 };
  lost = [];
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((accounts) => accounts.close()));
  rmSync(dir, { recursive: true, force: true });
});

const opened: KeptAccounts[] = [];

function open(): KeptAccounts {
  const accounts = keptAccounts(dir, () => now, (agent, reservations) => lost.push({ agent, calls: reservations.map(({ call }) => call) }));
  opened.push(accounts);
  return accounts;
}

function must(accounts: KeptAccounts): { account: Account; now: number } {
  const read = accounts.read(A);
  if (!read.ok) throw new Error(read.error);
  return read.value;
}

function take(accounts: KeptAccounts, call: string): boolean {
  const { account, now: at } = must(accounts);
  const reserved = reserve(account, LIMITS, call as CallId, ONE, at);
  if (reserved.ok) accounts.replace(A, reserved.account);
  return reserved.ok;
}

test('what was spent is there after a restart; what was open is charged in full and told once', async () => {
  const first = open();
  expect([take(first, 'c-1'), take(first, 'c-2')]).toEqual([true, true]);
  first.replace(A, settle(must(first).account, 'c-1' as CallId, { ...ONE, cost: 5 }, must(first).now));
  expect(await first.kept(A)).toEqual({ ok: true, value: null });
  expect(statSync(join(dir, 'a.json')).mode & 0o777).toBe(0o600);

  now = { ...now, bootMs: 5_000 };
  const second = open();
  const { account, now: at } = must(second);
  expect(account.open).toEqual([]);
  expect(spentOf(account, 'cost', at)).toBe(45);
  expect(lost).toEqual([{ agent: 'a', calls: ['c-2'] }]);
  await second.kept(A);
  expect(spentOf(must(open()).account, 'cost', at)).toBe(45);
  expect(lost).toHaveLength(1);
});

test('many that say so at once are on disk together, in few writes', async () => {
  const accounts = open();
  for (let i = 0; i < 50; i += 1) {
    const { account, now: at } = must(accounts);
    const reserved = reserve(account, { ...LIMITS, cost: null }, `c-${i}` as CallId, ONE, at);
    if (reserved.ok) accounts.replace(A, reserved.account);
  }
  await accounts.kept(A);
  expect((JSON.parse(readFileSync(join(dir, 'a.json'), 'utf8')) as { open: unknown[] }).open).toHaveLength(50);
});

test.each([
  ['a day by the boot clock', { bootMs: 1_000 + 87_000_000 }, 0],
  ['a day by a wall clock that somebody set, in the same boot', { wallMs: 1_700_000_000_000 + 87_000_000 }, 40],
  ['another boot a day later', { boot: 'b2', bootMs: 5, wallMs: 1_700_000_000_000 + 87_000_000 }, 0],
  ['another boot, with the clock a year back', { boot: 'b2', bootMs: 5, wallMs: 1_660_000_000_000 }, 40],
])('after %s, %j: %d are spent', async (_, later, spent) => {
  const first = open();
  take(first, 'c-1');
  first.replace(A, settle(must(first).account, 'c-1' as CallId, ONE, must(first).now));
  await first.kept(A);
  now = { ...now, ...later };
  const { account, now: at } = must(open());
  expect(spentOf(account, 'cost', at)).toBe(spent);
});

test.each([
  ['torn', '{"v":1,"clo'],
  ['empty', ''],
  ['another shape', '{"v":1}'],
  ['a negative amount', '{"v":1,"clock":{"boot":"b","bootMs":0,"wallMs":0,"ms":0},"spent":{"cost":[[1,-9]],"tokens":[],"requests":[],"bytes":[]},"open":[]}'],
])('a file that is %s frees nothing: it is a refusal that says what to do, until a person begins anew', async (_, text) => {
  writeFileSync(join(dir, 'a.json'), text);
  const accounts = open();
  expect(accounts.read(A)).toMatchObject({ ok: false, error: expect.stringContaining('holdfast usage reset a') });
  expect(accounts.read('b' as AgentName)).toMatchObject({ ok: true });
  expect(await accounts.reset(A)).toMatchObject({ ok: true });
  expect(take(accounts, 'c-1')).toBe(true);
  await accounts.kept(A);
  expect(must(open()).account.open).toEqual([]);
});

test('what cannot be written is said to who waits for it', async () => {
  const accounts = open();
  mkdirSync(join(dir, 'a.json.new'));
  expect(take(accounts, 'c-1')).toBe(true);
  expect(await accounts.kept(A)).toMatchObject({ ok: false, error: expect.stringContaining('cannot be kept') });
});

test('beginning anew keeps what is under way', async () => {
  const accounts = open();
  take(accounts, 'c-1');
  take(accounts, 'c-2');
  accounts.replace(A, settle(must(accounts).account, 'c-1' as CallId, ONE, must(accounts).now));
  await accounts.reset(A);
  expect(must(accounts).account.open.map(({ call }) => call)).toEqual(['c-2']);
  expect(spentOf(must(accounts).account, 'cost', must(accounts).now)).toBe(0);
});
