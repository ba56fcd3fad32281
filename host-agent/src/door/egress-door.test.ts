// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { parseEgressMessage } from './egress-door.ts';

const MODEL = { api: 'anthropic-messages', model: 'claude-x', maxOutputTokens: null, inputBytes: 5 };
const TUNNEL = { id: 7, ask: 'open', agent: 'coder', what: 'tunnel', host: 'a.example', port: 443, method: null, path: null, secrets: [], model: null, upgrade: null };
const REQUEST = { ...TUNNEL, what: 'request', method: 'POST', path: '/v1/x', secrets: ['A_KEY'], model: MODEL };
const USAGE = { model: 'claude-x', input: 1, cachedInput: 2, cacheWrite: 3, output: 4, said: true };
const END = { tell: 'ended', call: 'c-1', how: 'ok', status: 200, bytesUp: 1, bytesDown: 2, address: '2001:db8::1', usage: USAGE, why: null };

test('what is asked and told is read as it is', () => {
  for (const ask of [TUNNEL, REQUEST]) expect(parseEgressMessage(ask)).toEqual({ say: 'ask', ask });
  for (const end of [END, { ...END, status: null, address: null, usage: null, why: 'no route', how: 'unreachable' }]) expect(parseEgressMessage(end)).toEqual({ say: 'end', end });
});

test('a secret that stands there twice is one', () => {
  expect(parseEgressMessage({ ...REQUEST, secrets: ['A_KEY', 'A_KEY'] })).toMatchObject({ ask: { secrets: ['A_KEY'] } });
});

test.each<[string, JsonObject]>([
  ['a field more', { ...TUNNEL, grant: 'g' }],
  ['another question', { ...TUNNEL, ask: 'close' }],
  ['an agent that is no name', { ...TUNNEL, agent: '../x' }],
  ['a host with a final dot', { ...TUNNEL, host: 'a.example.' }],
  ['a host in capitals', { ...TUNNEL, host: 'A.example' }],
  ['an IPv6 address', { ...TUNNEL, host: '::1' }],
  ['a pattern', { ...TUNNEL, host: '*.example' }],
  ['port 0', { ...TUNNEL, port: 0 }],
  ['port 65536', { ...TUNNEL, port: 65_536 }],
  ['a port in words', { ...TUNNEL, port: '443' }],
  ['a tunnel that was read', { ...TUNNEL, method: 'GET' }],
  ['a tunnel with a secret', { ...TUNNEL, secrets: ['A_KEY'] }],
  ['a tunnel with a model', { ...TUNNEL, model: MODEL }],
  ['a request without a method', { ...REQUEST, method: null }],
  ['a method in small letters', { ...REQUEST, method: 'post' }],
  ['a path with a query', { ...REQUEST, path: '/x?y' }],
  ['a path without its slash', { ...REQUEST, path: 'x' }],
  ['a path with a line break', { ...REQUEST, path: '/x\n' }],
  ['a path that is too long', { ...REQUEST, path: `/${'x'.repeat(2_048)}` }],
  ['a secret that is no name', { ...REQUEST, secrets: ['A KEY'] }],
  ['too many secrets', { ...REQUEST, secrets: Array.from({ length: 17 }, (_, i) => `K${i}`) }],
  ['an upgrade that nobody knows', { ...REQUEST, upgrade: 'h2c' }],
  ['a model without a name', { ...REQUEST, model: { ...MODEL, model: '' } }],
  ['a model with a line break', { ...REQUEST, model: { ...MODEL, model: 'a\nb' } }],
  ['an API that nobody knows', { ...REQUEST, model: { ...MODEL, api: 'x' } }],
  ['tokens that are no number', { ...REQUEST, model: { ...MODEL, maxOutputTokens: -1 } }],
  ['half a byte', { ...REQUEST, model: { ...MODEL, inputBytes: 0.5 } }],
])('refused under its own id: %s', (_, message) => {
  expect(parseEgressMessage(message)).toMatchObject({ say: 'bad', id: 7 });
});

test.each<[string, JsonValue]>([
  ['an ending that nobody knows', { ...END, how: 'lost' }],
  ['a status that is none', { ...END, status: 42 }],
  ['bytes below nothing', { ...END, bytesUp: -1 }],
  ['more bytes than can be added', { ...END, bytesDown: Number.MAX_SAFE_INTEGER }],
  ['an address that is text', { ...END, address: 'here' }],
  ['usage with a field more', { ...END, usage: { ...USAGE, cost: 0 } }],
  ['usage below nothing', { ...END, usage: { ...USAGE, output: -5 } }],
  ['usage that nobody vouches for', { ...END, usage: { ...USAGE, said: null } }],
  ['a list', []],
  ['nothing', null],
])('not understood: %s', (_, message) => {
  expect(parseEgressMessage(message)).toMatchObject({ say: 'bad', id: null });
});

test('property: nothing that can be said is a fault', () => {
  fc.assert(fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(REQUEST)), (value, field) => {
    parseEgressMessage(value as JsonValue);
    parseEgressMessage({ ...REQUEST, [field]: value } as JsonObject);
  }));
});

const WAY = { id: 7, ask: 'source', source: 'vault', host: 'vault.example.com', port: 8200, address: null };

test('a way to a source is read as it is', () => {
  for (const way of [WAY, { ...WAY, address: '10.0.0.5' }]) expect(parseEgressMessage(way)).toEqual({ say: 'source', way });
});

test.each<[string, JsonObject]>([
  ['a field more', { ...WAY, agent: 'coder' }],
  ['a name that is none', { ...WAY, source: '../x' }],
  ['a host in capitals', { ...WAY, host: 'Vault.example.com' }],
  ['port 0', { ...WAY, port: 0 }],
  ['an address in another spelling', { ...WAY, address: '0x7f.1' }],
  ['no address at all', { ...WAY, address: 7 }],
])('a way to a source with %s is refused under its id', (_, message) => {
  expect(parseEgressMessage(message)).toMatchObject({ say: 'bad', id: 7 });
});
