// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { indexCapabilities } from '../capability/capability-index.ts';
import { parseCapabilities, parseCeiling } from '../capability/ceiling.ts';
import { heldFrom, type Grant } from '../capability/grant.ts';
import { parseCapability } from '../capability/capability.ts';
import type { NetAsk } from '../egress/egress-wire.ts';
import type { HostRule } from '../egress/host-rule.ts';
import { pathMatches } from '../egress/match-rule.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId, GrantId, OperatorName } from '../identity/ids.ts';
import { EMPTY_ACCOUNT, settle, type Account } from '../usage/account.ts';
import { KNOWN_PRICES } from '../usage/known-prices.ts';
import { judgeNet, WAY_OUT_MS } from './judge-net.ts';
import { judgeSpending } from './judge-spending.ts';
import { DEMO, must } from './testdata/memory-world.ts';

const CALL = 'c-1' as CallId;
const RULE: HostRule = { host: 'api.example', mode: 'inspect', methods: null, paths: null, responseMax: 1, upgrades: ['websocket'] };
const KEY = { name: 'A_KEY', agents: [DEMO.name], hosts: [{ host: 'api.example', port: 443 }], header: { name: 'x-key', template: '{}' }, placeholder: 'p' };

function agent(held: readonly string[], part: Partial<AgentAuthority> = {}): AgentAuthority {
  const defaults = must(parseCapabilities(held));
  return {
    ...DEMO,
    defaults,
    defaultIndex: indexCapabilities(defaults),
    ceiling: must(parseCeiling({ allow: ['net:connect:*', 'secret:use:*', 'model:use:*'], deny: ['net:connect:*.evil.example:443'] })),
    net: { rules: [RULE], quota: { bytesPerDay: 1_000_000, requestsPerDay: 100 } },
    secrets: [KEY],
    budget: { costPerDay: null, tokensPerHour: null },
    ...part,
  };
}

const TUNNEL: NetAsk = { id: 1, ask: 'open', agent: DEMO.name, what: 'tunnel', host: 'git.example', port: 443, method: null, path: null, secrets: [], model: null, upgrade: null };
const REQUEST: NetAsk = { ...TUNNEL, what: 'request', host: 'api.example', method: 'POST', path: '/v1/x' };
const MODEL = { api: 'openai-chat', model: 'mine', maxOutputTokens: 10, inputBytes: 10 } as const;

function grant(capability: string, notAfter: number): Grant {
  return { id: `g-${capability}` as GrantId, agent: DEMO.name, capability: must(parseCapability(capability)), notAfter, usesLeft: null, session: null, reason: 'r', grantedBy: 'ada' as OperatorName };
}

const judge = (ask: NetAsk, who: AgentAuthority, grants: readonly Grant[] = []) => judgeNet({ ask, call: CALL, agent: who, grants: heldFrom(grants), now: 1_000 });

test.each<[string, readonly string[], NetAsk]>([
  ['a host that is named', ['net:connect:git.example:443'], TUNNEL],
  ['any host, by a lone star (R1)', ['net:connect:*'], TUNNEL],
  ['any port of a host', ['net:connect:git.example:*'], TUNNEL],
  ['any host below a name', ['net:connect:*.example:443'], TUNNEL],
  ['a request with its secret', ['net:connect:api.example:443', 'secret:use:A_KEY'], { ...REQUEST, secrets: ['A_KEY'] }],
  ['a model', ['net:connect:api.example:443', 'model:use:mine'], { ...REQUEST, model: MODEL }],
  ['a granted upgrade', ['net:connect:api.example:443'], { ...REQUEST, upgrade: 'websocket' }],
])('allowed: %s', (_, held, ask) => {
  expect(judge(ask, agent(held))).toMatchObject({ verdict: 'allow', permit: { host: ask.host, port: 443, secrets: ask.secrets, notAfter: 1_000 + WAY_OUT_MS } });
});

test.each<[string, readonly string[], NetAsk, object]>([
  ['nothing held', [], TUNNEL, { rule: 'default-deny', ask: 'net:connect:git.example:443' }],
  ['another host', ['net:connect:other.example:443'], TUNNEL, { ask: 'net:connect:git.example:443' }],
  ['a host that only begins so', ['net:connect:git.example:443'], { ...TUNNEL, host: 'git.example.evil' }, { ask: 'net:connect:git.example.evil:443' }],
  ['a host that only ends so', ['net:connect:*.example:443'], { ...TUNNEL, host: 'gitexample' }, { rule: 'default-deny' }],
  ['another port', ['net:connect:git.example:443'], { ...TUNNEL, port: 22 }, { ask: 'net:connect:git.example:22' }],
  ['what the ceiling denies', ['net:connect:*'], { ...TUNNEL, host: 'a.evil.example' }, { rule: 'ceiling.deny:net:connect:*.evil.example:443', ask: null }],
  ['a secret that is bound and not held', ['net:connect:*'], { ...REQUEST, secrets: ['A_KEY'] }, { ask: 'secret:use:A_KEY' }],
  ['a secret that is held and bound elsewhere (D08)', ['net:connect:*', 'secret:use:*'], { ...REQUEST, host: 'git.example', secrets: ['A_KEY'] }, { rule: 'secret.not_bound', ask: null }],
  ['its host on another port', ['net:connect:*', 'secret:use:*'], { ...REQUEST, port: 8443, secrets: ['A_KEY'] }, { rule: 'secret.not_bound' }],
  ['a secret that there is not, in the words of one that is bound elsewhere (D13)', ['net:connect:*', 'secret:use:*'], { ...REQUEST, secrets: ['NO_KEY'] }, { rule: 'secret.not_bound' }],
  ['another model (R26)', ['net:connect:*', 'model:use:other-*'], { ...REQUEST, model: MODEL }, { ask: 'model:use:mine' }],
  ['a star in the name of a model', ['net:connect:*', 'model:use:mine'], { ...REQUEST, model: { ...MODEL, model: '*' } }, { rule: 'default-deny', ask: null }],
  ['a tunnel to a host that is read', ['net:connect:*'], { ...TUNNEL, host: 'api.example' }, { rule: 'host.inspect', ask: null }],
  ['an upgrade of a host without a rule', ['net:connect:*'], { ...REQUEST, host: 'git.example', upgrade: 'websocket' }, { rule: 'host.upgrade' }],
])('refused: %s', (_, held, ask, refusal) => {
  expect(judge(ask, agent(held))).toMatchObject({ verdict: 'deny', refusal });
});

test('an agent without a network is refused whatever it holds', () => {
  expect(judge(TUNNEL, agent(['net:connect:*'], { net: null }))).toMatchObject({ verdict: 'deny', refusal: { rule: 'net.none', ask: null } });
});

test('a permit ends with the first of the grants it goes by', () => {
  const grants = [grant('net:connect:api.example:443', 9_000), grant('secret:use:A_KEY', 5_000)];
  expect(judge({ ...REQUEST, secrets: ['A_KEY'] }, agent([]), grants)).toMatchObject({ verdict: 'allow', permit: { notAfter: 5_000 }, decision: { grantsUsed: [{ id: 'g-net:connect:api.example:443' }, { id: 'g-secret:use:A_KEY' }] } });
});

test.each([
  ['/v1/*', '/v1/x', true], ['/v1/*', '/v1/x/y', false], ['/v1/**', '/v1/x/y', true], ['/v1/**', '/v1', false], ['/v1/**', '/v1/', true], ['/v1', '/v1', true], ['/v1', '/v1/', false], ['/v1/', '/v1/', true],
  ['/**', '/', true], ['/*', '/', true], ['/', '/', true], ['/a*c', '/abc', true], ['/v1/**', '/v1/../admin', false], ['/v1/**', '/v1/./x', false], ['/v1/**', '/v1/%2e%2E/admin', false],
  ['/v1/**', '/v1/x%2f..%2fadmin', false], ['/v1/**', '/v1/x%5cy', false], ['/v1/**', '/v1/x\\..\\y', false], ['/v1/**', '/v1/x%00', false], ['/v1/**', 'v1/x', false], ['/**', '*', false], ['/v1/**', '/V1/x', false],
  ['/v1/**', '/v1/x?y', false], ['/v1/**', '//v1/x', false],
])('path pattern %s and %s: %j', (pattern, path, matches) => {
  expect(pathMatches(pattern, path)).toBe(matches);
});

describe('spending', () => {
  const spend = (who: AgentAuthority, ask: NetAsk, account: Account = EMPTY_ACCOUNT, now = 0) => judgeSpending(ask, who, CALL, account, KNOWN_PRICES, now);

  test('a model without a price goes where nobody limits cost, and only there', () => {
    expect(spend(agent([]), { ...REQUEST, model: MODEL })).toMatchObject({ ok: true, amounts: { cost: 0, tokens: 20, requests: 1 } });
    expect(spend(agent([], { budget: { costPerDay: 1_000_000, tokensPerHour: null } }), { ...REQUEST, model: MODEL })).toMatchObject({ ok: false, refusal: { rule: 'model.price', retryAfterMs: null } });
  });

  test('tokens of an hour', () => {
    const who = agent([], { budget: { costPerDay: null, tokensPerHour: 25 } });
    const first = spend(who, { ...REQUEST, model: MODEL });
    if (!first.ok) throw new Error(first.refusal.message);
    const spent = settle(first.account, CALL, { ...first.amounts, tokens: 15 }, 0);
    expect(spend(who, { ...REQUEST, model: MODEL }, spent)).toMatchObject({ ok: false, refusal: { rule: 'budget.tokens', retryAfterMs: 3_660_000 } });
    expect(spend(who, { ...REQUEST, model: MODEL }, spent, 3_660_000)).toMatchObject({ ok: true });
    expect(spend(who, { ...REQUEST, model: { ...MODEL, inputBytes: 16 } }, spent)).toMatchObject({ ok: false, refusal: { rule: 'budget.tokens', retryAfterMs: null } });
    // What asks no model needs no tokens.
    expect(spend(who, REQUEST, spent)).toMatchObject({ ok: true });
  });

  test('of the bytes of a day each is held an eighth of what is left, and of a request what it can have', () => {
    const who = agent([]);
    const first = spend(who, TUNNEL);
    expect(first).toMatchObject({ ok: true, amounts: { bytes: 125_000 }, limits: { bytesUp: 31_250, bytesDown: 93_750 } });
    // RULE lets one byte come back; a model's request is as long as it is.
    const large = agent([], { net: { rules: [RULE], quota: { bytesPerDay: 10_000_000_000, requestsPerDay: 100 } } });
    expect(spend(large, { ...REQUEST, model: MODEL })).toMatchObject({ ok: true, limits: { bytesUp: 65_546, bytesDown: 65_537 } });
    expect(spend(large, REQUEST)).toMatchObject({ ok: true, limits: { bytesUp: 312_500_000, bytesDown: 65_537 } });
    expect(spend(large, { ...REQUEST, host: 'git.example' })).toMatchObject({ ok: true, limits: { bytesUp: 312_500_000, bytesDown: 937_500_000 } });
    const nearly = { ...EMPTY_ACCOUNT, spent: { ...EMPTY_ACCOUNT.spent, bytes: [[600_000, 970_000]] as const } };
    expect(spend(who, TUNNEL, nearly)).toMatchObject({ ok: false, refusal: { rule: 'quota.bytes', retryAfterMs: 87_000_000 } });
  });

  test('nothing goes where the quota is nothing', () => {
    expect(spend(agent([], { net: { rules: [], quota: { bytesPerDay: 0, requestsPerDay: 10 } } }), TUNNEL)).toMatchObject({ ok: false, refusal: { rule: 'quota.bytes', retryAfterMs: null } });
    expect(spend(agent([], { net: { rules: [], quota: { bytesPerDay: 1_000, requestsPerDay: 0 } } }), TUNNEL)).toMatchObject({ ok: false, refusal: { rule: 'quota.requests', retryAfterMs: null } });
  });
});
