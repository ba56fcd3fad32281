// SPDX-License-Identifier: Apache-2.0
// What the server that stands in for Vault and OpenBao does, request by request, beside what their interface is published to do.
import { describe, expect, test } from 'vitest';
import { vaultContract, type VaultContract } from './vault-contract.ts';

let clock = Date.parse('2026-11-22T10:00:00.000Z');
const made = (): VaultContract => {
  clock = Date.parse('2026-11-22T10:00:00.000Z');
  const vault = vaultContract(() => clock);
  vault.token('root');
  vault.token('app', { ttl: 60, renewable: true, paths: ['kv/app'] });
  vault.token('fixed', { ttl: 60 });
  vault.put('kv/app', { key: 'one', other: 'x' });
  return vault;
};
const asked = (vault: VaultContract, path: string, token = 'root', method = 'GET', more: { readonly body?: string; readonly namespace?: string } = {}): { status: number; body: any } => {
  const headers = { 'x-vault-token': token, ...(more.namespace === undefined ? {} : { 'x-vault-namespace': more.namespace }) };
  const { status, body } = vault.answer({ method, path, headers, body: more.body ?? '' });
  return { status, body: body === '' ? null : JSON.parse(body) };
};

describe('KV version 2', () => {
  test('a version is read with its metadata; it has no lease of its own', () => {
    expect(asked(made(), '/v1/kv/data/app')).toEqual({
      status: 200,
      body: {
        request_id: expect.stringMatching(/^[0-9a-f-]{36}$/), lease_id: '', renewable: false, lease_duration: 0, wrap_info: null, warnings: null, auth: null, mount_type: 'kv',
        data: { data: { key: 'one', other: 'x' }, metadata: { created_time: '2026-11-22T10:00:00.000000000Z', custom_metadata: null, deletion_time: '', destroyed: false, version: 1 } },
      },
    });
  });

  test('a write makes the next version, which is what is read from then on', () => {
    const vault = made();
    expect(asked(vault, '/v1/kv/data/app', 'root', 'POST', { body: '{"data":{"key":"two"}}' })).toMatchObject({ status: 200, body: { data: { version: 2 } } });
    expect(asked(vault, '/v1/kv/data/app').body.data).toMatchObject({ data: { key: 'two' }, metadata: { version: 2 } });
  });

  test.each([
    ['deleted', (vault: VaultContract) => vault.remove('kv/app'), { deletion_time: '2026-11-22T10:00:00.000000000Z', destroyed: false }],
    ['deleted over HTTP', (vault: VaultContract) => void asked(vault, '/v1/kv/data/app', 'root', 'DELETE'), { deletion_time: '2026-11-22T10:00:00.000000000Z', destroyed: false }],
    ['destroyed', (vault: VaultContract) => vault.destroy('kv/app'), { deletion_time: '', destroyed: true }],
  ])('a version that was %s is a 404 with its metadata and no data', (_, act, metadata) => {
    const vault = made();
    act(vault);
    expect(asked(vault, '/v1/kv/data/app')).toMatchObject({ status: 404, body: { data: { data: null, metadata } } });
  });

  test('delete_version_after: the time of deletion lies ahead, and then it is deleted', () => {
    const vault = made();
    vault.put('kv/app', { key: 'soon' }, { deleteAfter: 30 });
    expect(asked(vault, '/v1/kv/data/app')).toMatchObject({ status: 200, body: { data: { metadata: { deletion_time: '2026-11-22T10:00:30.000000000Z' } } } });
    clock += 30_000;
    expect(asked(vault, '/v1/kv/data/app').status).toBe(404);
  });

  test('namespaces are worlds of their own', () => {
    const vault = made();
    vault.put('kv/app', { key: 'theirs' }, { namespace: 'team-a' });
    expect(asked(vault, '/v1/kv/data/app', 'root', 'GET', { namespace: 'team-a' }).body.data.data).toEqual({ key: 'theirs' });
    expect(asked(vault, '/v1/kv/data/app', 'root', 'GET', { namespace: 'team-b' })).toEqual({ status: 404, body: { errors: [] } });
  });
});

describe('tokens', () => {
  test('lookup-self says how long one lasts; one without an end says 0 and no time', () => {
    const vault = made();
    clock += 10_000;
    expect(asked(vault, '/v1/auth/token/lookup-self', 'app').body.data).toMatchObject({ ttl: 50, creation_ttl: 60, expire_time: '2026-11-22T10:01:00.000000000Z', renewable: true, id: 'app' });
    expect(asked(vault, '/v1/auth/token/lookup-self', 'root').body.data).toMatchObject({ ttl: 0, expire_time: null, renewable: false });
  });

  test('renew-self gives it its time anew, up to its longest; one that is not renewable is a 400', () => {
    const vault = made();
    vault.token('bounded', { ttl: 60, renewable: true, maxTtl: 90 });
    clock += 50_000;
    expect(asked(vault, '/v1/auth/token/renew-self', 'app', 'POST', { body: '{}' }).body).toMatchObject({ data: null, auth: { client_token: 'app', lease_duration: 60, renewable: true } });
    expect(asked(vault, '/v1/auth/token/renew-self', 'bounded', 'POST', { body: '{}' }).body.auth.lease_duration).toBe(40);
    expect(asked(vault, '/v1/auth/token/renew-self', 'fixed', 'POST', { body: '{}' })).toEqual({ status: 400, body: { errors: ['lease is not renewable'] } });
  });

  test('one that has ended, was revoked or never was is a 403', () => {
    const vault = made();
    vault.revoke('fixed');
    clock += 60_000;
    for (const token of ['app', 'fixed', 'nobody']) expect(asked(vault, '/v1/auth/token/lookup-self', token).status).toBe(403);
    expect(asked(vault, '/v1/auth/token/revoke-self', 'root', 'POST')).toEqual({ status: 204, body: null });
    expect(asked(vault, '/v1/kv/data/app', 'root').status).toBe(403);
  });
});

describe('refusals', () => {
  test.each([
    ['no token', '/v1/kv/data/app', '', 'GET', 400],
    ['another path than its policy names', '/v1/kv/data/other', 'app', 'GET', 403],
    ['nothing there', '/v1/kv/data/nothing', 'root', 'GET', 404],
    ['no such mount', '/v1/nothing', 'root', 'GET', 404],
    ['a method that is not known there', '/v1/kv/data/app', 'root', 'PATCH', 405],
  ])('%s', (_, path, token, method, status) => {
    expect(asked(made(), path, token, method)).toMatchObject({ status, body: { errors: expect.any(Array) } });
  });

  test('sealed: 503 for all; a standby that does not forward: 307 to the active server', () => {
    const vault = made();
    vault.sealed = true;
    expect(asked(vault, '/v1/kv/data/app')).toEqual({ status: 503, body: { errors: ['Vault is sealed'] } });
    vault.sealed = false;
    vault.standbyOf = 'active.example.com:8200';
    expect(vault.answer({ method: 'GET', path: '/v1/kv/data/app', headers: { 'x-vault-token': 'root' }, body: '' })).toMatchObject({ status: 307, headers: { Location: 'https://active.example.com:8200/v1/kv/data/app' } });
  });
});
