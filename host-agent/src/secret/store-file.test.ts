// SPDX-License-Identifier: Apache-2.0
import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AgentName } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';
import { addSecret, addSource, bindSecret, changeSource, endGrace, removeSecret, removeSource, rotateSecret, setLevel, setSlot, type NewSource } from './change-store.ts';
import type { SecretName } from './name.ts';
import { newSlot, newStore, openStore, readStore, writeStore, WRONG_KEY } from './store-file.ts';
import type { SecretOrigin, SourceName } from './source.ts';
import { parseStoreHeader, type StoreHeader } from './store-header.ts';
import type { Values } from './values.ts';
import { printRecoveryCode, readRecoveryCode } from './recovery-code.ts';

const CHEAP = { m: 8192, t: 1, p: 1 };
const PASSPHRASE = Buffer.from('correct horse battery');
const CODE = Buffer.from('0123456789ABCDEFGHJKMNPQRSTVWXYZ');
const by = { by: 'anna', wallMs: Date.parse('2026-11-22T00:00:00.000Z') };
const name = (text: string): SecretName => text as SecretName;
const added = (store: StoreHeader, called: string): StoreHeader => {
  const hosts = [{ host: 'api.example.com', port: 443 }];
  const made = addSecret(store, { name: name(called), family: 'generic', agents: ['coder' as AgentName], forbid: [], hosts, header: { name: 'authorization', template: 'Bearer {}' }, rotateDays: 90, expires: null }, by);
  if (!made.ok) throw new Error(made.error);
  return made.value;
};

function made(): { header: StoreHeader; masterKey: Buffer; bytes: Buffer } {
  const { header: empty, masterKey } = newStore([{ kind: 'passphrase', secret: PASSPHRASE }, { kind: 'recovery', secret: CODE }], randomBytes, CHEAP);
  const both = added(added(empty, 'B_KEY'), 'A_KEY');
  const rotated = rotateSecret(both, name('B_KEY'), 24, null, by);
  if (!rotated.ok) throw new Error(rotated.error);
  const values: Values[] = [{ value: Buffer.from('value-of-a'), old: null }, { value: Buffer.from('value-of-b'), old: Buffer.from('before-b') }];
  return { header: rotated.value, masterKey, bytes: writeStore(rotated.value, masterKey, values, randomBytes) };
}

function read(bytes: Uint8Array) {
  const store = readStore(bytes);
  if (!store.ok) throw new Error(store.error);
  return store.value;
}

/** As whoever changes the file would: with a sum that fits. */
function summed(bytes: Uint8Array): Buffer {
  const body = bytes.subarray(0, bytes.length - 32);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

describe('a store', () => {
  test('opens with the passphrase and with the recovery code, each in its own slot, and gives back what was put in', () => {
    const { bytes, header } = made();
    const store = read(bytes);
    expect(store.header).toEqual(header);
    for (const [secret, kind] of [[PASSPHRASE, 'passphrase'], [CODE, 'recovery']] as const) {
      const opened = openStore(store, secret, [kind]);
      if (!opened.ok) throw new Error(opened.error);
      expect(opened.value.values.map(({ value, old }) => [Buffer.from(value).toString(), old === null ? null : Buffer.from(old).toString()])).toEqual([['value-of-a', null], ['value-of-b', 'before-b']]);
      opened.value.wipe();
      expect(Buffer.concat([opened.value.masterKey, ...opened.value.values.map(({ value }) => value)]).every((byte) => byte === 0)).toBe(true);
    }
    expect(openStore(store, CODE, ['passphrase'])).toEqual({ ok: false, key: 'wrong', error: WRONG_KEY });
    expect(openStore(store, PASSPHRASE, ['credential'])).toMatchObject({ ok: false, error: expect.stringContaining('no slot') });
    expect(openStore(store, Buffer.from('correct horse batterz'), ['passphrase', 'recovery'])).toEqual({ ok: false, key: 'wrong', error: WRONG_KEY });
  });

  test('no value, passphrase or code is in the file in any plain form', () => {
    const { bytes } = made();
    expect(bytes.includes('A_KEY')).toBe(true);
    for (const text of ['value-of-a', 'value-of-b', 'before-b', PASSPHRASE.toString(), CODE.toString()]) for (const form of ['utf8', 'hex', 'base64'] as const) expect(bytes.includes(Buffer.from(text).toString(form))).toBe(false);
  });

  test('one changed byte anywhere is damage to everybody, and is found out also under a sum that fits', () => {
    const { bytes } = made();
    for (let at = 0; at < bytes.length; at += 1) {
      const other = Buffer.from(bytes);
      other[at]! ^= 0x01;
      expect(readStore(other), `byte ${at}`).toEqual({ ok: false, error: 'the store is damaged: it does not have its checksum' });
      if (at >= bytes.length - 32) continue;
      const store = readStore(summed(other));
      const opened = store.ok ? openStore(store.value, PASSPHRASE, ['passphrase', 'recovery']) : store;
      expect(opened.ok, `byte ${at} under its own sum`).toBe(false);
    }
  });

  test('cut short anywhere, or longer, it is refused', () => {
    const { bytes } = made();
    fc.assert(fc.property(fc.nat(bytes.length - 1), (length) => !readStore(bytes.subarray(0, length)).ok && !openable(summed(bytes.subarray(0, length)))), { numRuns: 200 });
    expect(readStore(Buffer.concat([bytes, Buffer.of(0)])).ok).toBe(false);
    expect(openable(summed(Buffer.concat([bytes.subarray(0, -32), Buffer.alloc(33)])))).toBe(false);
    expect(readStore(Buffer.alloc(0)).ok).toBe(false);
  });

  test('a header that asks for a terabyte, twice the same key, or another spelling is refused before anything is derived', () => {
    const { bytes } = made();
    const text = bytes.toString('latin1');
    const wrong: [string, string][] = [
      [text.replace('"m":8192', '"m":1073741824'), 'm must be'],
      [text.replace('"v":1', '"v":2'), 'not of version 1'],
      [text.replace('{"generation"', '{ "generation"'), 'canonical'],
      [text.replace('"v":1', '"v":1,"v":1'), 'canonical'],
      [text.replace('"v":1', '"v":1,"z":1'), '"z" is unknown'],
      [text.replace('{', '['), 'canonical JSON'],
      [text.replace('api.example.com', '*.example.com'), 'no host'],
    ];
    for (const [changed, why] of wrong) expect(readStore(summed(Buffer.from(changed, 'latin1')))).toEqual({ ok: false, error: expect.stringContaining(why) });
  });

  test('a slot of another store opens nothing here, and a passphrase that was replaced opens nothing any more', () => {
    const one = made();
    const two = made();
    const foreign = { ...one.header, slots: two.header.slots };
    expect(openStore(read(writeStore(foreign, one.masterKey, [{ value: Buffer.from('x'), old: null }, { value: Buffer.from('y'), old: Buffer.from('z') }], randomBytes)), PASSPHRASE, ['passphrase'])).toEqual({ ok: false, key: 'wrong', error: WRONG_KEY });
    const next = setSlot(one.header, newSlot('passphrase', Buffer.from('another passphrase'), { id: one.header.id, masterKey: one.masterKey }, randomBytes, CHEAP));
    const store = read(writeStore(next, one.masterKey, [{ value: Buffer.from('x'), old: null }, { value: Buffer.from('y'), old: Buffer.from('z') }], randomBytes));
    expect(openStore(store, PASSPHRASE, ['passphrase'])).toEqual({ ok: false, key: 'wrong', error: WRONG_KEY });
    expect(openStore(store, Buffer.from('another passphrase'), ['passphrase']).ok).toBe(true);
  });
});

function openable(bytes: Uint8Array): boolean {
  const store = readStore(bytes);
  return store.ok && openStore(store.value, PASSPHRASE, ['passphrase']).ok;
}

describe('changes', () => {
  test('each makes the next generation; names stay sorted; what is not there is refused', () => {
    const { header } = made();
    expect([header.generation, header.secrets.map((secret) => secret.name)]).toEqual([4, ['A_KEY', 'B_KEY']]);
    expect(addSecret(header, { ...header.secrets[0]! }, by)).toMatchObject({ ok: false, error: expect.stringContaining('rotate A_KEY') });
    expect(removeSecret(header, name('A_KEY'))).toMatchObject({ ok: true, value: { generation: 5, secrets: [{ name: 'B_KEY' }] } });
    for (const refused of [removeSecret(header, name('C')), rotateSecret(header, name('C'), 1, null, by), bindSecret(header, name('C'), {})]) expect(refused).toMatchObject({ ok: false, error: expect.stringContaining('no secret C') });
    expect(bindSecret(header, name('A_KEY'), { hosts: [] })).toMatchObject({ ok: false });
    expect(bindSecret(header, name('A_KEY'), { forbid: ['coder' as AgentName] })).toMatchObject({ ok: false, error: 'coder is both allowed and forbidden' });
    expect(setLevel(setLevel(header, 'coder' as AgentName, 'full'), 'coder' as AgentName, 'scoped').levels).toEqual([]);
  });

  test('the value of before is known until its grace is over, and not a moment longer', () => {
    const { header } = made();
    const until = by.wallMs + 24 * 3_600_000;
    expect(header.secrets[1]!.oldUntil).toBe(new Date(until).toISOString());
    expect(endGrace(header, until - 1)).toBeNull();
    expect(endGrace(header, until)).toMatchObject({ generation: 5, secrets: [{ oldUntil: null }, { oldUntil: null }] });
    expect(rotateSecret(header, name('A_KEY'), 0, null, by)).toMatchObject({ ok: true, value: { secrets: [{ oldUntil: null }, {}] } });
  });
});

describe('a recovery code', () => {
  test('property: is read back from any way of typing it', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.boolean(), (bytes, lower) => {
      const code = printRecoveryCode(bytes);
      expect(code.toString()).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/);
      const typed = code.toString().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
      expect(readRecoveryCode(Buffer.from(lower ? typed.toLowerCase() : typed))?.toString()).toBe(code.toString().replaceAll('-', ''));
    }));
  });

  test('anything else is none', () => {
    for (const text of ['', 'correct horse battery', `${CODE.toString()}0`, CODE.toString().slice(1), CODE.toString().replace('A', 'U')]) expect(readRecoveryCode(Buffer.from(text))).toBeNull();
  });
});

describe('a store with a source', () => {
  const source: NewSource = { name: 'vault' as SourceName, kind: 'vault', host: 'vault.example.com', port: 8200, namespace: 'team', address: '10.0.0.5', ca: null, cacheSeconds: 60 };
  const done = (result: Result<StoreHeader>): StoreHeader => {
    if (!result.ok) throw new Error(result.error);
    return result.value;
  };
  const bound = { family: 'generic' as const, agents: [], forbid: [], hosts: [{ host: 'api.example.com', port: 443 }], header: { name: 'authorization', template: 'Bearer {}' }, rotateDays: 90, expires: null };
  const from: SecretOrigin = { source: source.name, mount: 'kv', path: 'app', field: 'key' };

  test('keeps its token and no value of what comes from it; without one it is what it was before there were any', () => {
    const { header: old, masterKey, bytes } = made();
    expect(Object.keys(read(bytes).header)).not.toContain('sources');
    const withSource = done(addSource(old, source, by));
    const header = done(addSecret(withSource, { ...bound, name: name('C_KEY'), from }, by));
    const values: Values[] = [{ value: Buffer.from('value-of-a'), old: null }, { value: Buffer.from('value-of-b'), old: Buffer.from('before-b') }, { value: Buffer.from('the-token'), old: null }];
    const store = read(writeStore(header, masterKey, values, randomBytes));
    expect(store.header).toEqual(header);
    const opened = openStore(store, PASSPHRASE, ['passphrase']);
    if (!opened.ok) throw new Error(opened.error);
    expect(opened.value.values.map(({ value }) => Buffer.from(value).toString())).toEqual(['value-of-a', 'value-of-b', 'the-token']);
    const removed = done(removeSource(done(removeSecret(header, name('C_KEY'))), source.name));
    expect(Object.keys(removed)).not.toContain('sources');
  });

  test('a value too few or too many is no store', () => {
    const { header: old, masterKey } = made();
    const header = done(addSource(old, source, by));
    const two: Values[] = [{ value: Buffer.from('a'), old: null }, { value: Buffer.from('b'), old: Buffer.from('c') }];
    expect(openStore(read(writeStore(header, masterKey, two, randomBytes)), PASSPHRASE, ['passphrase'])).toMatchObject({ ok: false, key: 'right' });
  });

  test('refuses what would leave a secret without its source, or a source twice', () => {
    const header = done(addSource(made().header, source, by));
    expect(addSource(header, source, by)).toMatchObject({ ok: false, error: expect.stringContaining('already') });
    expect(addSecret(made().header, { ...bound, name: name('C_KEY'), from }, by)).toMatchObject({ ok: false, error: expect.stringContaining('no source vault') });
    const used = done(addSecret(header, { ...bound, name: name('C_KEY'), from }, by));
    expect(removeSource(used, source.name)).toMatchObject({ ok: false, error: expect.stringContaining('C_KEY') });
    expect(rotateSecret(used, name('C_KEY'), 24, null, by)).toMatchObject({ ok: false, error: expect.stringContaining('vault:kv/app#key') });
    expect(changeSource(used, 'other' as SourceName, {}, by)).toMatchObject({ ok: false });
    let full = header;
    for (let n = 0; n < 7; n += 1) full = done(addSource(full, { ...source, name: `v${n}` as SourceName }, by));
    expect(addSource(full, { ...source, name: 'one-more' as SourceName }, by)).toMatchObject({ ok: false, error: expect.stringContaining('no more fit') });
  });

  test.each<[string, (header: any) => void]>([
    ['an empty list of them', (header) => (header.sources = [])],
    ['another kind', (header) => (header.sources[0].kind = 'http')],
    ['an address in another spelling', (header) => (header.sources[0].address = '0x0a.5')],
    ['a host that is an address', (header) => (header.sources[0].host = '10.0.0.5')],
    ['certificates that are none', (header) => (header.sources[0].ca = 'x')],
    ['a token in the header', (header) => (header.sources[0].token = 'x')],
    ['a secret of a source that there is not', (header) => (header.secrets[2].from.source = 'other')],
    ['a path upwards', (header) => (header.secrets[2].from.path = '../sys')],
    ['an old value of what is not kept', (header) => (header.secrets[2].oldUntil = '2026-11-22T00:00:00.000Z')],
  ])('a header with %s is none', (_, spoil) => {
    const header = structuredClone(done(addSecret(done(addSource(made().header, source, by)), { ...bound, name: name('C_KEY'), from }, by)));
    expect(parseStoreHeader(header as never)).toMatchObject({ ok: true });
    spoil(header);
    expect(parseStoreHeader(header as never)).toMatchObject({ ok: false });
  });
});
