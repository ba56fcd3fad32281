// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { netPermitDigest } from '../egress/net-permit.ts';
import type { HostRule } from '../egress/host-rule.ts';
import { indexCapabilities } from '../capability/capability-index.ts';
import { parseCapability } from '../capability/capability.ts';
import { parseCeiling } from '../capability/ceiling.ts';
import { refuse } from '../identity/result.ts';
import { netFetch } from '../tools/net-fetch.ts';
import { handleToolCall } from './handle-tool-call.ts';
import { callOf, DEMO, memoryWorld, must } from './testdata/memory-world.ts';

const HELD = must(parseCapability('net:connect:a.example:443'));
const RULE: HostRule = { host: 'a.example', mode: 'inspect', methods: ['GET'], paths: ['/v1/**'], responseMax: 1, upgrades: [] };

function world(rules: readonly HostRule[] = []) {
  const made = memoryWorld();
  const ports = { ...made.ports, tools: new Map([[netFetch.name, netFetch]]) };
  const ceiling = must(parseCeiling({ allow: ['net:connect:*'], deny: [] }));
  const agent = { ...DEMO, defaults: [HELD], defaultIndex: indexCapabilities([HELD]), ceiling, net: { rules, quota: { bytesPerDay: 1, requestsPerDay: 1 } } };
  const fetch = (url: string, more: object = {}) => handleToolCall({ ...callOf('net.fetch', { url, ...more }), agent }, ports);
  return { ...made, fetch };
}

test('a request is recorded without its query, permitted by a receipt, made and recorded', async () => {
  const { fetch, kept, events, fetched } = world();
  expect(await fetch('https://a.example/v1/x?key=hunter2')).toMatchObject({ isError: false, data: { status: 200, body: 'hello' } });
  expect(events).toEqual(['call.intent', 'fetch', 'call.outcome']);
  const [{ intent, request }] = fetched as [(typeof fetched)[number]];
  expect(request).toMatchObject({ host: 'a.example', port: 443, path: '/v1/x?key=hunter2', shown: '/v1/x' });
  expect(intent.permit).toMatchObject({ kind: 'net', agent: 'demo', host: 'a.example', port: 443, secrets: [] });
  expect(intent.receipt.permit).toBe(netPermitDigest(intent.permit));
  expect(kept[0]?.data).toMatchObject({ capabilities: ['net:connect:a.example:443'], permit_digest: netPermitDigest(intent.permit), arguments: { host: 'a.example', path: '/v1/x' } });
  expect(kept[1]?.data).toMatchObject({ status: 'ok', observed: { by: 'egress', http_status: 200, bytes_up: 10, bytes_down: 20 } });
  expect(JSON.stringify(kept)).not.toContain('hunter2');
});

test.each<[string, string, object, object]>([
  ['another host', 'https://b.example/', {}, { refused: 'denied', missing: ['net:connect:b.example:443'] }],
  ['another port', 'https://a.example:8443/', {}, { refused: 'denied', missing: ['net:connect:a.example:8443'] }],
  ['without TLS', 'http://a.example/', {}, { refused: 'denied', missing: ['net:connect:a.example:80'] }],
  ['a method that the host\'s rule does not name', 'https://a.example/v1/x', { method: 'POST' }, { refused: 'denied', rule: 'host.method' }],
  ['a path that it does not name', 'https://a.example/v2', {}, { refused: 'denied', rule: 'host.path' }],
  ['what is no URL', 'https://a.example@b.example/', {}, { refused: 'malformed' }],
])('refused: %s', async (_, url, more, data) => {
  const { fetch, events, fetched } = world([RULE]);
  expect(await fetch('https://a.example/v1/x')).toMatchObject({ isError: false });
  expect(await fetch(url, more)).toMatchObject({ isError: true, data });
  expect(fetched).toHaveLength(1);
  expect(events.slice(3)).toEqual(['call.refused']);
});

test('one that holdfast-egress refuses has the rule in its outcome, and nothing else of its words', async () => {
  const { fetch, kept, world: made } = world();
  made.onFetch = async () => ({ ...refuse('a.example leads to an address that is not public: loopback (internal_address)'), rule: 'internal_address' });
  expect(await fetch('https://a.example/?key=hunter2')).toMatchObject({ isError: true, text: expect.stringContaining('loopback') });
  expect(kept.at(-1)).toMatchObject({ kind: 'call.outcome', data: { status: 'failed', observed: { by: 'egress', refused: 'internal_address' } } });
  expect(JSON.stringify(kept)).not.toContain('hunter2');
});

test('one that cannot be made is an outcome that says why', async () => {
  const { fetch, kept, world: made } = world();
  made.onFetch = async () => refuse('quota.bytes: it is spent');
  expect(await fetch('https://a.example/')).toMatchObject({ isError: true, text: expect.stringContaining('quota.bytes: it is spent') });
  expect(kept.at(-1)).toMatchObject({ kind: 'call.outcome', data: { status: 'failed' } });
});
