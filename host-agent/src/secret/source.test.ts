// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { whyNoSourceAddress } from '../egress/source-address.ts';
import { parsePublishedSources } from './published-sources.ts';
import { kvPath, parseCa, parseNamespace, parseOrigin, parseSourceName, parseSourceUrl, showOrigin } from './source.ts';

describe('where a secret comes from', () => {
  test.each([
    ['vault:kv/app#key', '/v1/kv/data/app'],
    ['vault:secret/team-a/prod/anthropic#api_key', '/v1/secret/data/team-a/prod/anthropic'],
    ['bao-2:kv/a.b/c@d#K', '/v1/kv/data/a.b/c@d'],
  ])('%s', (text, path) => {
    const origin = parseOrigin(text);
    if (!origin.ok) throw new Error(origin.error);
    expect([showOrigin(origin.value), kvPath(origin.value)]).toEqual([text, path]);
  });

  test.each([
    '', 'vault', 'vault:kv/app', 'vault:kv#key', 'vault:#key', 'vault:kv/#key', 'vault:/app#key', 'vault:kv//app#key', 'vault:kv/../sys/raw#key', 'vault:kv/./app#key', 'vault:kv/app.#key', 'vault:kv/app#',
    'vault:kv/app#a#b', 'vault:kv/app?version=1#key', 'vault:kv/a%2f..#key', 'vault:kv/a b#key', 'vault:kv/app\r\nX-Evil: 1#key', 'vault:kv/data/app#key', 'Vault:kv/app#key', '-v:kv/app#key', `vault:kv/${'a/'.repeat(300)}b#key`,
    'vault:kv/ä#key', 'vault:kv/app#k y', 'vault:kv/app\0#key',
  ])('not %j', (text) => {
    expect(parseOrigin(text)).toMatchObject({ ok: false });
  });

  test('a refusal never repeats what it refused but a path of a person\'s own', () => {
    expect(JSON.stringify(parseOrigin('hvs.CAESIJ-canary'))).not.toContain('canary');
  });
});

describe('the place of a source', () => {
  test.each([
    ['https://vault.example.com', { host: 'vault.example.com', port: 443 }],
    ['https://vault.example.com:8200/', { host: 'vault.example.com', port: 8200 }],
    ['https://vault.corp.internal:8200', { host: 'vault.corp.internal', port: 8200 }],
  ])('%s', (text, value) => expect(parseSourceUrl(text)).toEqual({ ok: true, value }));

  test.each([
    'http://vault.example.com:8200', 'https://vault.example.com:8200/v1', 'https://user:pw@vault.example.com', 'https://10.0.0.5:8200', 'https://[::1]:8200', 'https://VAULT.example.com', 'https://vault', 'vault.example.com',
    'https://vault.example.com?x', 'https://vault.example.com#x', 'https://vault.example.com:0', 'https://vault.example.com:99999', 'https://vault.example.com.', 'https://',
  ])('not %s', (text) => expect(parseSourceUrl(text)).toMatchObject({ ok: false }));

  test.each(['vault', 'bao-2', 'a'])('%s is a name', (text) => expect(parseSourceName(text).ok).toBe(true));
  test.each(['', 'Vault', 'vault-', '-vault', '1vault', 'vault.token', 'a'.repeat(33), 'va ult'])('%j is none', (text) => expect(parseSourceName(text).ok).toBe(false));

  test.each([['team', 'team'], ['ns1/ns2/', 'ns1/ns2'], ['a_b-C/9', 'a_b-C/9']])('%s is a namespace', (text, value) => expect(parseNamespace(text)).toEqual({ ok: true, value }));
  test.each(['', '/', '/a', 'a//b', 'a b', 'a\r\nX: y', '..'])('%j is none', (text) => expect(parseNamespace(text).ok).toBe(false));
});

describe('its address (R18)', () => {
  test.each(['10.0.0.5', '10.255.255.255', '172.16.0.1', '172.31.255.254', '192.168.1.9', '93.184.216.34'])('%s may be named', (text) => expect(whyNoSourceAddress(text)).toBeNull());
  test.each([
    '127.0.0.1', '127.1.2.3', '0.0.0.0', '169.254.169.254', '169.254.170.2', '100.64.0.1', '100.100.100.200', '172.15.0.1:1', '192.0.0.192', '198.18.0.1', '168.63.129.16', '224.0.0.1', '255.255.255.255', '240.0.0.1',
    '010.0.0.5', '10.5', '0x0a000005', '167772165', '10.0.0.5 ', '::1', '::ffff:10.0.0.5', 'fd00::1', 'vault.example.com', '',
  ])('%j may not', (text) => expect(whyNoSourceAddress(text)).not.toBeNull());
});

describe('certificates', () => {
  const pem = `-----BEGIN CERTIFICATE-----\n${'A'.repeat(64)}\nAAAA\n-----END CERTIFICATE-----\n`;
  test('are taken out of what programs write around them', () => {
    expect(parseCa(`Subject: CN = x\n${pem.replaceAll('\n', '\r\n')}\n\n${pem}`)).toEqual({ ok: true, value: `${pem}${pem}` });
  });
  test.each([
    ['nothing', ''], ['no certificate', 'hello'], ['a key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'], ['a key beside it', `${pem}-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n`],
    ['an unfinished one', pem.slice(0, -10)], ['other letters', pem.replace('AAAA\n', 'A?AA\n')], ['too many', pem.repeat(900)],
  ])('not %s', (_, text) => expect(parseCa(text)).toMatchObject({ ok: false }));
});

describe('what holdfast-egress reads of them', () => {
  const place = { name: 'vault', host: 'vault.example.com', port: 8200, address: null };
  test('is taken as it is', () => expect(parsePublishedSources({ v: 1, sources: [place, { ...place, name: 'bao', address: '10.0.0.5' }] })).toMatchObject({ ok: true }));
  test.each<[string, any]>([
    ['another version', { v: 2, sources: [] }], ['a field too many', { v: 1, sources: [], more: 1 }], ['no list', { v: 1, sources: {} }], ['twice', { v: 1, sources: [place, place] }], ['too many', { v: 1, sources: Array.from({ length: 9 }, (_, n) => ({ ...place, name: `v${n}` })) }],
    ['a host that is an address', { v: 1, sources: [{ ...place, host: '10.0.0.5' }] }], ['an address in another spelling', { v: 1, sources: [{ ...place, address: '0x7f.1' }] }], ['a port as text', { v: 1, sources: [{ ...place, port: '8200' }] }], ['a port that there is not', { v: 1, sources: [{ ...place, port: 70_000 }] }],
    ['a token', { v: 1, sources: [{ ...place, token: 'x' }] }],
  ])('not: %s', (_, value) => expect(parsePublishedSources(value)).toMatchObject({ ok: false }));
});
