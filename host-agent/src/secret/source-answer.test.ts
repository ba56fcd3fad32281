// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { vaultContract, type VaultContract } from '../testdata/vault-contract.ts';
import { readKvAnswer, readLookup, readRenewal, type HttpAnswer } from './source-answer.ts';

const CANARY = 'hvs-canary-value-of-the-answer';
const NOW = Date.parse('2026-11-22T10:00:00.000Z');

/** What the contract server says, and what the reader makes of it. */
function said(act: (vault: VaultContract) => void = () => {}, path = '/v1/kv/data/app', method = 'GET', token = 'app'): HttpAnswer {
  const vault = vaultContract(() => NOW);
  vault.token('app', { ttl: 60, renewable: true });
  vault.token('root');
  vault.put('kv/app', { key: CANARY, number: 7, empty: '', lines: 'a\nb', quoted: '"<&>\\' });
  act(vault);
  const { status, body } = vault.answer({ method, path, headers: { 'x-vault-token': token }, body: '' });
  return { status, body: Buffer.from(body) };
}
const text = (status: number, body: string): HttpAnswer => ({ status, body: Buffer.from(body) });
const whole = { lease_duration: 0, wrap_info: null, data: { data: { key: CANARY }, metadata: { deletion_time: '', destroyed: false, version: 1 } } };
const changed = (change: object): HttpAnswer => text(200, JSON.stringify({ ...whole, ...change }));
const metadata = (change: object): HttpAnswer => changed({ data: { data: { key: CANARY }, metadata: { ...whole.data.metadata, ...change } } });

describe('a value', () => {
  test('is read from a field, and nothing of its lease is lost', () => {
    expect(readKvAnswer(said(), 'key', NOW)).toEqual({ ok: true, value: { value: Buffer.from(CANARY), version: 1, leaseMs: null, deletedInMs: null } });
    expect(readKvAnswer(said((vault) => (vault.leaseDuration = 30)), 'key', NOW)).toMatchObject({ ok: true, value: { leaseMs: 30_000 } });
    expect(readKvAnswer(said((vault) => vault.put('kv/app', { key: 'next' }, { deleteAfter: 5 })), 'key', NOW)).toMatchObject({ ok: true, value: { version: 2, deletedInMs: 5_000 } });
  });

  test('as the published samples have it, without what they leave out', () => {
    expect(readKvAnswer(text(200, JSON.stringify({ data: whole.data })), 'key', NOW)).toMatchObject({ ok: true, value: { leaseMs: null } });
  });

  test('of escapes, as Go writes them', () => {
    expect(readKvAnswer(said(), 'quoted', NOW)).toMatchObject({ ok: true, value: { value: Buffer.from('"<&>\\') } });
    expect(readKvAnswer(text(200, '{"data":{"data":{"key":"\\u003ca\\u003e\\u0026"},"metadata":{"deletion_time":"","destroyed":false,"version":1}}}'), 'key', NOW)).toMatchObject({ ok: true, value: { value: Buffer.from('<a>&') } });
  });

  test.each<[string, HttpAnswer, string, string]>([
    ['a field that is not there', said(), 'other', 'no field of that name'],
    ['a number', said(), 'number', 'no text'],
    ['nothing', said(), 'empty', 'the value is empty'],
    ['several lines', said(), 'lines', 'one line of printable ASCII'],
    ['letters that are not ASCII', changed({ data: { ...whole.data, data: { key: 'clé' } } }), 'key', 'one line of printable ASCII'],
    ['too long', changed({ data: { ...whole.data, data: { key: 'x'.repeat(9_000) } } }), 'key', 'longer than'],
    ['deleted', said((vault) => vault.remove('kv/app')), 'key', 'deleted there'],
    ['destroyed', said((vault) => vault.destroy('kv/app')), 'key', 'destroyed there'],
    ['deleted, and all the same a 200', metadata({ deletion_time: '2026-11-22T09:59:59.5Z' }), 'key', 'deleted there'],
    ['destroyed, and all the same a 200', metadata({ destroyed: true }), 'key', 'destroyed there'],
    ['deleted, with data null', changed({ data: { data: null, metadata: whole.data.metadata } }), 'key', 'deleted there'],
    ['nothing at this path', said(() => {}, '/v1/kv/data/nothing'), 'key', 'nothing at this path (404)'],
    ['a 404 that is no JSON', text(404, '<html>'), 'key', 'nothing at this path (404)'],
    ['a token that is not taken', said(() => {}, '/v1/kv/data/app', 'GET', 'nobody'), 'key', '(403)'],
    ['no token', said(() => {}, '/v1/kv/data/app', 'GET', ''), 'key', '(400)'],
    ['sealed', said((vault) => (vault.sealed = true)), 'key', 'sealed'],
    ['a standby that sends on', said((vault) => (vault.standbyOf = 'other.example.com')), 'key', 'the token is not taken'],
    ...[301, 302, 303, 308].map((status): [string, HttpAnswer, string, string] => [`${status}`, text(status, ''), 'key', 'sends on to another server']),
    ['a standby', text(473, ''), 'key', 'standby'],
    ['too many', text(429, ''), 'key', '(429)'],
    ['behind', text(412, ''), 'key', '(412)'],
    ['a fault', text(500, `{"errors":["${CANARY}"]}`), 'key', 'a fault at its side (500)'],
    ['not initialised', text(501, ''), 'key', '(501)'],
    ['no content', text(204, ''), 'key', 'answered with 204'],
    ['KV version 1', changed({ data: { key: CANARY } }), 'key', 'KV version 2'],
    ['no data', changed({ data: null }), 'key', 'KV version 2'],
    ['no object', text(200, '[]'), 'key', 'KV version 2'],
    ['no JSON', text(200, `<html>${CANARY}`), 'key', 'cannot be read'],
    ['half of it', text(200, JSON.stringify(whole).slice(0, -20)), 'key', 'cannot be read'],
    ['twice', text(200, JSON.stringify(whole).replace('"key":', `"key":"${CANARY}","key":`)), 'key', 'cannot be read'],
    ['wrapped', changed({ data: null, wrap_info: { token: CANARY, ttl: 60 } }), 'key', 'wrapped'],
    ['a lease that is none', changed({ lease_duration: -1 }), 'key', 'how long this holds'],
    ['a lease as text', changed({ lease_duration: '30' }), 'key', 'how long this holds'],
    ['no version', metadata({ version: null }), 'key', 'how long this holds'],
    ['version 0', metadata({ version: 0 }), 'key', 'how long this holds'],
    ['no word of destroying', metadata({ destroyed: null }), 'key', 'how long this holds'],
    ['no time of deletion', metadata({ deletion_time: null }), 'key', 'how long this holds'],
    ['a time of deletion that is none', metadata({ deletion_time: 'tomorrow' }), 'key', 'a time of deletion'],
  ])('is not read: %s', (_, answer, field, why) => {
    const read = readKvAnswer(answer, field, NOW);
    expect(read).toEqual({ ok: false, error: expect.stringContaining(why) });
    expect(JSON.stringify(read)).not.toContain('canary');
  });
});

describe('a token', () => {
  const lookup = '/v1/auth/token/lookup-self';
  test('lasts as long as lookup-self and renew-self say', () => {
    expect(readLookup(said(() => {}, lookup))).toEqual({ ok: true, value: { ttlMs: 60_000, renewable: true } });
    expect(readLookup(said(() => {}, lookup, 'GET', 'root'))).toEqual({ ok: true, value: { ttlMs: null, renewable: false } });
    expect(readRenewal(said(() => {}, '/v1/auth/token/renew-self', 'POST'))).toEqual({ ok: true, value: { ttlMs: 60_000, renewable: true } });
  });

  test.each<[string, string, object]>([
    ['one that has just ended', '{"data":{"ttl":0,"expire_time":"2026-11-22T10:00:00Z","renewable":true}}', { ok: true, value: { ttlMs: 0, renewable: true } }],
    ['a batch token, which has no such word', '{"data":{"ttl":9,"expire_time":"2026-11-22T10:00:09Z"}}', { ok: true, value: { ttlMs: 9_000, renewable: false } }],
    ['no end is said', '{"data":{"ttl":0,"renewable":true}}', { ok: false }],
    ['a length that is none', '{"data":{"ttl":"1h","expire_time":null}}', { ok: false }],
    ['less than nothing', '{"data":{"ttl":-5,"expire_time":null}}', { ok: false }],
    ['nothing', '{"data":null}', { ok: false }],
    ['wrapped', '{"wrap_info":{"token":"x"},"data":{"ttl":0,"expire_time":null}}', { ok: false }],
    ['no JSON', 'ok', { ok: false }],
  ])('%s', (_, body, expected) => expect(readLookup(text(200, body))).toMatchObject(expected));

  test.each<[string, HttpAnswer]>([
    ['no auth', text(200, '{"auth":null}')], ['a length that is none', text(200, '{"auth":{"lease_duration":"1h"}}')], ['not renewable', text(400, '{"errors":["lease is not renewable"]}')], ['ended', text(403, '{"errors":["permission denied"]}')],
  ])('is not renewed: %s', (_, answer) => expect(readRenewal(answer)).toMatchObject({ ok: false }));

  test('a refusal repeats nothing of it', () => {
    expect(JSON.stringify([readLookup(text(200, `{"data":{"id":"${CANARY}"}}`)), readRenewal(text(200, `{"auth":{"client_token":"${CANARY}"}}`)), readLookup(text(500, CANARY))])).not.toContain('canary');
  });
});
