// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { AgentName } from '../identity/ids.ts';
import type { SecretBinding } from '../secret/binding.ts';
import type { DeclaredNet } from './host-rule.ts';
import { policyFor, whyNotAsked } from './net-policy.ts';
import { slotsOf } from './placeholders.ts';
import { parseRequestPath } from './request-path.ts';
import type { Target } from './target.ts';

const PLACEHOLDER = 'sk-ant-holdfast-0000';
const bearer: SecretBinding = { name: 'KEY', agents: ['coder' as AgentName], hosts: [{ host: 'api.example.com', port: 443 }], header: { name: 'authorization', template: 'Bearer {}' }, placeholder: PLACEHOLDER };
const plain: SecretBinding = { ...bearer, name: 'OTHER', header: { name: 'x-api-key', template: '{}' }, placeholder: 'other-000' };
const at = (host: string, port = 443): Target => ({ host, port }) as Target;
const BOUND = at('api.example.com');

describe('a placeholder', () => {
  test('in its header, whole, on its way to its host is a slot', () => {
    expect(slotsOf([['Authorization', `Bearer ${PLACEHOLDER}`], ['X-Api-Key', 'other-000']], '/v1', BOUND, [bearer, plain])).toEqual({
      ok: true,
      value: [{ secret: 'KEY', header: 'authorization', before: 'Bearer ', after: '' }, { secret: 'OTHER', header: 'x-api-key', before: '', after: '' }],
    });
    expect(slotsOf([['authorization', `bearer ${PLACEHOLDER}`]], '/', BOUND, [bearer])).toMatchObject({ ok: true, value: [{ secret: 'KEY' }] });
    expect(slotsOf([['authorization', 'Bearer something-else']], '/', BOUND, [bearer])).toEqual({ ok: true, value: [] });
  });

  test.each<[string, [string, string][], string, Target]>([
    ['another host', [['Authorization', `Bearer ${PLACEHOLDER}`]], '/', at('evil.com')],
    ['another port of it', [['Authorization', `Bearer ${PLACEHOLDER}`]], '/', at('api.example.com', 8443)],
    ['another header', [['X-Api-Key', PLACEHOLDER]], '/', BOUND],
    ['another template', [['Authorization', `Basic ${PLACEHOLDER}`]], '/', BOUND],
    ['more behind it', [['Authorization', `Bearer ${PLACEHOLDER}x`]], '/', BOUND],
    ['more before it', [['Authorization', `Bearer x${PLACEHOLDER}`]], '/', BOUND],
    ['twice', [['Authorization', `Bearer ${PLACEHOLDER}`], ['authorization', `Bearer ${PLACEHOLDER}`]], '/', BOUND],
    ['a name of a header', [[`X-${PLACEHOLDER}`, '1']], '/', BOUND],
    ['the query', [], `/?key=${PLACEHOLDER}`, BOUND],
    ['the path', [], `/${PLACEHOLDER}/x`, BOUND],
    ['the query, encoded', [], `/?key=${PLACEHOLDER.replace('-', '%2D')}`, BOUND],
  ])('in %s is refused', (_what, headers, url, to) => {
    expect(slotsOf(headers, url, to, [bearer])).toMatchObject({ ok: false, error: expect.stringContaining('the placeholder of secret KEY stands') });
  });
});

describe('policy of a host', () => {
  const net: DeclaredNet = {
    rules: [
      { host: 'api.example.com', mode: 'tunnel', methods: ['POST'], paths: ['/v1/**'], responseMax: 1000, upgrades: [] },
      { host: 'ws.example.com', mode: 'inspect', methods: null, paths: null, responseMax: 1000, upgrades: ['websocket'] },
    ],
    quota: { bytesPerDay: 1, requestsPerDay: 1 },
  };
  test('a bound secret makes it inspected, whatever the file says', () => {
    expect(policyFor(net, [], BOUND).mode).toBe('tunnel');
    expect(policyFor(net, [bearer], BOUND).mode).toBe('inspect');
    expect(policyFor(net, [bearer], at('other.example.com')).mode).toBe('tunnel');
  });
  test.each<[string, string, string, string | null, string | null]>([
    ['api.example.com', 'POST', '/v1/a', null, null],
    ['api.example.com', 'GET', '/v1/a', null, 'method'],
    ['api.example.com', 'POST', '/v2/a', null, 'path'],
    ['api.example.com', 'POST', '/v1/a%2fb', null, 'path'],
    ['api.example.com', 'POST', '/v1/a', 'websocket', 'upgrade'],
    ['ws.example.com', 'GET', '/', 'websocket', null],
  ])('%s %s %s upgrade %s: %s', (host, method, text, upgrade, rule) => {
    const path = parseRequestPath(text);
    if (!path.ok) throw new Error(path.error);
    expect(whyNotAsked(at(host), policyFor(net, [], at(host)), { method, path: path.value, upgrade })?.rule ?? null).toBe(rule);
  });
});
