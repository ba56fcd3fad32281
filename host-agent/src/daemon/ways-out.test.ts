// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { indexCapabilities } from '../capability/capability-index.ts';
import { parseCapabilities, parseCeiling } from '../capability/ceiling.ts';
import { keptAccounts, type KeptAccounts } from '../effects/kept-accounts.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId } from '../identity/ids.ts';
import { refuse } from '../identity/result.ts';
import type { EntryDraft, JsonObject, JsonValue } from '../ledger/entry.ts';
import { openOf, spentOf } from '../usage/account.ts';
import { KNOWN_PRICES } from '../usage/known-prices.ts';
import { DEMO, memoryWorld, must } from '../tool-call/testdata/memory-world.ts';
import { openWaysOut } from './ways-out.ts';

let dir: string;
let accounts: KeptAccounts;
beforeEach(() => {
  dir = mkdtempSync('/tmp/holdfast-ways-');
});
afterEach(async () => {
  await accounts.close();
  rmSync(dir, { recursive: true, force: true });
});

const HELD = must(parseCapabilities(['net:connect:a.example:443', 'model:use:*']));
const CODER: AgentAuthority = {
  ...DEMO,
  defaults: HELD,
  defaultIndex: indexCapabilities(HELD),
  ceiling: DEMO.ceiling,
  net: { rules: [], quota: { bytesPerDay: 1_000_000, requestsPerDay: 1_000 } },
  budget: { costPerDay: 1_000_000, tokensPerHour: null },
};
const MODEL = { api: 'anthropic-messages', model: 'claude-sonnet-4-5', maxOutputTokens: 1_000, inputBytes: 1_000 };
const ASK = { id: 1, ask: 'open', agent: 'demo', what: 'request', host: 'a.example', port: 443, method: 'POST', path: '/v1/messages', secrets: [], model: MODEL, upgrade: null };
const END = { tell: 'ended', how: 'ok', status: 200, bytesUp: 1, bytesDown: 2, address: '192.0.2.1', usage: null, why: null };

function world() {
  const memory = memoryWorld();
  const wall = { value: 0 };
  accounts = keptAccounts(dir, () => ({ boot: 'b', bootMs: memory.world.now, wallMs: wall.value }), () => undefined);
  const ceiling = must(parseCeiling({ allow: ['net:connect:*', 'model:use:*'], deny: [] }));
  const agent = { ...CODER, ceiling };
  const state = { authority: agent as AgentAuthority | null };
  const noted: EntryDraft[] = [];
  let calls = 0;
  const ways = openWaysOut({
    ...memory.ports,
    // Its own waiting passes the time.
    clock: { ...memory.ports.clock, sleep: async (ms) => void (memory.world.now += ms) },
    authorityOf: () => state.authority,
    accounts,
    prices: () => KNOWN_PRICES,
    note: (draft) => noted.push(draft),
    newCallId: () => `c-${(calls += 1)}` as CallId,
  });
  const said: JsonObject[] = [];
  const line = ways.connect((message) => void said.push(message as JsonObject));
  const ask = async (part: object = {}): Promise<JsonObject> => {
    const id = said.length + 100 + calls;
    line.said({ ...ASK, ...part, id } as unknown as JsonValue);
    for (let turn = 0; turn < 500; turn += 1) {
      const answer = said.find((one) => one['id'] === id);
      if (answer !== undefined) return answer;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error('no answer');
  };
  const end = (call: unknown, part: object = {}): void => line.said({ ...END, call, ...part } as unknown as JsonValue);
  const spent = (): { cost: number; open: number } => {
    const { account, now } = must(accounts.read(DEMO.name));
    return { cost: spentOf(account, 'cost', now), open: openOf(account, 'cost') };
  };
  return { ...memory, ways, line, said, ask, end, spent, noted, state };
}

const callIn = (answer: JsonObject): unknown => (answer['permit'] as JsonObject)['call'];

test('the control: allowed, held, told, charged', async () => {
  const { ask, end, spent, noted } = world();
  const answer = await ask();
  expect(answer).toMatchObject({ ok: true, receipt: { signature: 'by a ledger' } });
  expect(spent()).toEqual({ cost: 0, open: 21_000 });
  end(callIn(answer));
  expect(spent()).toEqual({ cost: 21_000, open: 0 });
  // Told twice, it is charged and recorded once.
  end(callIn(answer));
  expect(spent()).toEqual({ cost: 21_000, open: 0 });
  expect(noted.map(({ kind, data }) => [kind, data['status'], data['cost_micros'], data['charged']])).toEqual([['net.outcome', 'ok', 21_000, 'ceiling']]);
});

describe('nobody is let out, and nothing is spent,', () => {
  test.each([
    ['by a ledger that refuses', async () => refuse('the disk is full')],
    ['by a ledger that does not answer', async () => { throw new Error('gone'); }],
  ] as const)('%s (E06)', async (_, onAppend) => {
    const { ask, spent, world: made } = world();
    expect(await ask()).toMatchObject({ ok: true });
    const before = spent();
    made.onAppend = onAppend;
    expect(await ask()).toMatchObject({ ok: false, refusal: { rule: 'ledger.unavailable', retryAfterMs: 2_000 } });
    expect(spent()).toEqual(before);
  });

  test('when its authority ends while the intent is written (A16)', async () => {
    const { ask, spent, noted, world: made, ways } = world();
    made.onAppend = async (_kind, answer) => {
      ways.cutAgent(DEMO.name, 'its agent was stopped');
      return { ok: true, value: answer };
    };
    expect(await ask()).toMatchObject({ ok: false, refusal: { rule: 'grant.ended', message: 'Its agent was stopped. Ask for it again.' } });
    expect(spent()).toEqual({ cost: 0, open: 0 });
    expect(noted.map(({ kind, data }) => [kind, data['status'], data['cost_micros']])).toEqual([['net.outcome', 'failed', 0]]);
  });

  test('when its line goes away meanwhile', async () => {
    const { line, said, spent, world: made, noted } = world();
    made.onAppend = async (_kind, answer) => {
      line.closed();
      return { ok: true, value: answer };
    };
    line.said({ ...ASK, id: 5 } as unknown as JsonValue);
    for (let turn = 0; turn < 100 && said.length === 0; turn += 1) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(said).toMatchObject([{ id: 5, ok: false }]);
    expect(spent()).toEqual({ cost: 0, open: 0 });
    expect(noted).toHaveLength(1);
  });

  test('when the kernel does not confine it, when it is not served, when nobody can judge', async () => {
    const { ask, world: made, state, faults } = world();
    made.confined = refuse('its profile only complains');
    expect(await ask()).toMatchObject({ refusal: { rule: 'confinement' } });
    made.confined = { ok: true, value: null };
    const { authority } = state;
    state.authority = null;
    expect(await ask()).toMatchObject({ refusal: { rule: 'agent.unknown' } });
    state.authority = { ...authority!, defaultIndex: null as never };
    expect(await ask()).toMatchObject({ refusal: { rule: 'fault.judging' } });
    expect(faults).toHaveLength(1);
    state.authority = authority;
    expect(await ask()).toMatchObject({ ok: true });
  });
});

test('who tells no end is called back after its time, and then charged in full', async () => {
  const { ask, said, ways, spent, noted, world: made } = world();
  const answer = await ask();
  const { notAfter } = answer['permit'] as { notAfter: number };
  made.now = notAfter + 4_000;
  ways.tick();
  expect(said.filter((one) => 'cut' in one)).toEqual([]);
  made.now = notAfter + 6_000;
  ways.tick();
  ways.tick();
  expect(said.filter((one) => 'cut' in one)).toEqual([{ cut: callIn(answer), why: 'its time is over' }]);
  expect(spent().open).toBe(21_000);
  made.now = notAfter + 31_000;
  ways.tick();
  expect(spent()).toEqual({ cost: 21_000, open: 0 });
  expect(noted.at(-1)).toMatchObject({ kind: 'net.outcome', data: { status: 'lost', why: 'holdfast-egress did not tell its end', bytes_up: null } });
});

test('an agent has so many out at a time', async () => {
  const { ask, end, ways, state } = world();
  state.authority = { ...state.authority!, net: { rules: [], quota: { bytesPerDay: 2 ** 49, requestsPerDay: 1_000 } } };
  const answers: JsonObject[] = [];
  for (let i = 0; i < 130; i += 1) answers.push(await ask({ model: null }));
  const allowed = answers.filter((answer) => answer['ok'] === true);
  expect(allowed).toHaveLength(128);
  expect(answers.slice(128)).toMatchObject([{ refusal: { rule: 'limit.open', retryAfterMs: 1_000 } }, { refusal: { rule: 'limit.open' } }]);
  end(callIn(allowed[0]!));
  expect(await ask({ model: null })).toMatchObject({ ok: true });
  expect(ways.openOf(DEMO.name)).toBe(128);
});

test('an end that only another line could tell is nobody\'s word', async () => {
  const { ask, ways, spent } = world();
  const answer = await ask();
  ways.connect(() => undefined).said({ ...END, call: callIn(answer), status: 401 } as unknown as JsonValue);
  expect(spent().open).toBe(21_000);
});

describe('a way to a source of secrets', () => {
  const WAY = { ask: 'source', source: 'vault', host: 'vault.example.com', port: 8200, address: '10.0.0.5' };
  const said = async (made: ReturnType<typeof world>, id: number): Promise<JsonObject> => {
    made.line.said({ ...WAY, id });
    for (let turn = 0; turn < 500; turn += 1) {
      const answer = made.said.find((one) => one['id'] === id);
      if (answer !== undefined) return answer;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error('no answer');
  };

  test('is on record before it is opened', async () => {
    const made = world();
    expect(await said(made, 1)).toEqual({ id: 1, ok: true });
    expect(made.kept.at(-1)).toMatchObject({ kind: 'secret.way', actor: { type: 'system', id: 'holdfast-egress' }, data: { source: 'vault', host: 'vault.example.com', port: 8200, address: '10.0.0.5' } });
  });

  test('and otherwise is none', async () => {
    const made = world();
    made.world.onAppend = async () => refuse('the disk is full');
    expect(await said(made, 1)).toMatchObject({ ok: false, refusal: { rule: 'ledger.unavailable' } });
  });

  test('not more of them than holdfast-secretd has need of', async () => {
    const made = world();
    const answers: JsonObject[] = [];
    for (let id = 1; id <= 41; id += 1) answers.push(await said(made, id));
    expect(answers.slice(0, 40).every(({ ok }) => ok === true)).toBe(true);
    expect(answers[40]).toMatchObject({ ok: false, refusal: { rule: 'limit.rate' } });
  });
});
