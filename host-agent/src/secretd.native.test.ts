// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { PublishedBindings } from './secret/binding.ts';
import type { MadeKeys, SecretsStatus, SecretView } from './secret/operator-wire.ts';
import { asUid, PASSPHRASE, UIDS, useSecretdRole } from './testdata/secretd-role.ts';
import type { NetPermit } from './egress/net-permit.ts';
import type { AgentName } from './identity/ids.ts';
import { bootMillis } from './effects/clock.ts';
import { openLine } from './effects/ledger-line.ts';

const VALUE = 'sk-ant-api03-canary-"quoted"\\and-slashed';
const set = (name: string, agent = 'coder') => ({ op: 'set', name, agents: [agent], forbid: null, hosts: ['api.example.com'], header: null, rotateDays: 90, expires: null }) as const;

const box = useSecretdRole();
const { start, kill, ask, done, prepared, use, entries } = box;
const status = (): Promise<SecretsStatus> => done<SecretsStatus>({ op: 'status' });
const published = (): PublishedBindings => JSON.parse(readFileSync(box.paths().secretBindings, 'utf8')) as PublishedBindings;
const agent = (name: string): AgentName => name as AgentName;

describe('opening', () => {
  test('no store: it says so; init makes one, open, kept on the disk, and its recovery code opens it once the passphrase is forgotten', async () => {
    await start();
    expect(await status()).toMatchObject({ state: 'absent', problem: null, secrets: 0, slots: [] });
    expect(published()).toEqual({ v: 1, state: 'absent', bindings: [] });
    expect(await ask(set('A_KEY'), VALUE)).toMatchObject({ ok: false, error: expect.stringContaining('holdfast secret init') });
    expect(await ask({ op: 'init' }, 'short')).toMatchObject({ ok: false, error: expect.stringContaining('12 characters') });
    const made = await done<MadeKeys>({ op: 'init' }, PASSPHRASE);
    expect(made).toEqual({ recovery: expect.stringMatching(/^(?:[0-9A-Z]{4}-){7}[0-9A-Z]{4}$/), credential: false, tpm: null });
    expect(await status()).toMatchObject({ state: 'open', generation: 1, slots: ['passphrase', 'recovery'] });
    expect(await ask({ op: 'init' }, PASSPHRASE)).toMatchObject({ ok: false, error: expect.stringContaining('already') });
    await done(set('A_KEY'), VALUE);
    await kill('SIGTERM');

    await start();
    expect(await status()).toMatchObject({ state: 'locked', generation: 2 });
    expect(published()).toMatchObject({ state: 'locked', bindings: [{ name: 'A_KEY', agents: ['coder'] }] });
    await done({ op: 'unlock' }, made.recovery!.toLowerCase());
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    expect((await entries('secret.unlocked')).at(-1)).toMatchObject({ source: 'holdfast-secretd', actor: { type: 'user', id: 'anna' }, data: { key: 'recovery', generation: 2, secrets: 1 } });
    await done({ op: 'key', kind: 'passphrase' }, 'a new passphrase of words');
    await done({ op: 'lock' });
    expect(await ask({ op: 'unlock' }, PASSPHRASE)).toMatchObject({ ok: false });
    await done({ op: 'unlock' }, 'a new passphrase of words');
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
  });

  test('a wrong passphrase is refused, recorded and slowed down; nothing is handed out meanwhile; the right one opens', async () => {
    await prepared(VALUE);
    await done({ op: 'lock' });
    expect(await use()).toMatchObject({ ok: false, rule: 'locked', why: expect.stringContaining('holdfast secret unlock') });
    for (let n = 0; n < 3; n += 1) expect(await ask({ op: 'unlock' }, `${PASSPHRASE}!`)).toMatchObject({ ok: false, error: expect.stringContaining('opens no key slot') });
    expect(await ask({ op: 'unlock' }, PASSPHRASE)).toEqual({ ok: false, error: expect.stringContaining('too many wrong answers') });
    expect((await entries('door.refused')).filter(({ data }) => data['door'] === 'secrets' && data['uid'] === UIDS.ops)).toHaveLength(3);
    expect((await status()).state).toBe('locked');
    await sleep(1_100);
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true });
  });

  test('the store is taken into memory: no file of it is left, and locking and unlocking need none', async () => {
    await prepared(VALUE);
    await kill('SIGTERM');
    await start();
    expect([readdirSync(box.paths().secretStoreIn), readdirSync(box.paths().secretStoreOut)]).toEqual([[], []]);
    for (let n = 0; n < 2; n += 1) {
      await done({ op: 'unlock' }, PASSPHRASE);
      await done({ op: 'lock' });
    }
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
  });

  test('killed: locked again, on record and in status, every use refused; with a credential of systemd it comes back by itself', async () => {
    await start({ credential: 'a key of this machine that systemd sealed\n' });
    expect(await done<MadeKeys>({ op: 'init' }, PASSPHRASE)).toMatchObject({ credential: true });
    await done(set('A_KEY'), VALUE);
    await kill('SIGKILL');

    await start();
    expect((await status()).state).toBe('locked');
    expect(await use()).toMatchObject({ ok: false, rule: 'locked' });
    await expect.poll(async () => (await entries('secret.closed')).at(-1)?.data).toMatchObject({ state: 'locked', why: expect.stringContaining('systemd passed no key') });
    await kill('SIGKILL');

    await start({ credential: 'a key of this machine that systemd sealed\n' });
    await expect.poll(async () => (await status()).state).toBe('open');
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    expect((await entries('secret.unlocked')).at(-1)).toMatchObject({ actor: { type: 'system' }, data: { key: 'credential' } });
    await kill('SIGKILL');

    await start({ credential: 'a key of another machine altogether\n' });
    await expect.poll(async () => (await entries('secret.closed')).at(-1)?.data).toMatchObject({ why: expect.stringContaining('opens no key slot') });
    expect((await status()).state).toBe('locked');
  });

  test('a TPM: opened by nobody who was not asked; then by a key of its own that root sealed, new each time, until that is taken back', async () => {
    await start({ machineKey: 'none tpm' });
    expect(await done<MadeKeys>({ op: 'init' }, PASSPHRASE)).toMatchObject({ credential: false, tpm: 'there' });
    await done(set('A_KEY'), VALUE);
    expect(existsSync(box.sealed())).toBe(false);
    expect(await done<MadeKeys>({ op: 'key', kind: 'credential' })).toEqual({ recovery: null, credential: true, tpm: 'sealed' });
    const first = readFileSync(box.sealed());
    expect(first).toHaveLength(32);
    expect(readdirSync(box.paths().secretStoreOut)).toEqual([]);
    await kill('SIGKILL');

    await start({ machineKey: 'sealed tpm', credential: first });
    await expect.poll(async () => (await status()).state).toBe('open');
    expect(await status()).toMatchObject({ credential: true, machineKey: { from: 'sealed', tpm: true, why: null }, slots: ['passphrase', 'recovery', 'credential'] });
    await done({ op: 'key', kind: 'credential' });
    const second = readFileSync(box.sealed());
    expect(second).not.toEqual(first);
    await kill('SIGKILL');
    await start({ machineKey: 'sealed tpm', credential: first });
    await expect.poll(async () => (await entries('secret.closed')).at(-1)?.data).toMatchObject({ why: expect.stringContaining('opens no key slot') });
    await kill('SIGKILL');

    await start({ machineKey: 'sealed tpm', credential: second });
    await expect.poll(async () => (await status()).state).toBe('open');
    expect(await ask({ op: 'key', kind: 'passphrase', remove: true } as const)).toMatchObject({ ok: false, error: expect.stringContaining('only the credential') });
    await done({ op: 'key', kind: 'credential', remove: true });
    expect(await ask({ op: 'key', kind: 'credential', remove: true } as const)).toMatchObject({ ok: false, error: 'no credential opens the store' });
    expect((await entries('secret.changed')).map(({ data }) => data['what'])).toEqual(['store made', 'set', 'credential replaced', 'credential replaced', 'credential removed']);
    await kill('SIGKILL');
    await start({ machineKey: 'sealed tpm', credential: second });
    expect(await status()).toMatchObject({ state: 'locked', slots: ['passphrase', 'recovery'] });
  });

  test('a sealed key that the TPM does not open: closed, and status, the ledger and what is published say why', async () => {
    await start({ machineKey: 'none tpm' });
    await done({ op: 'init' }, PASSPHRASE);
    await kill('SIGKILL');
    // Where no such key opens the store, nobody misses it.
    await start({ machineKey: 'failed tpm it is the TPM of another machine' });
    expect(published()).toEqual({ v: 1, state: 'locked', bindings: [] });
    await done({ op: 'unlock' }, PASSPHRASE);
    await done({ op: 'key', kind: 'credential' });
    await kill('SIGKILL');

    await start({ machineKey: 'failed no-tpm this machine shows none' });
    await expect.poll(async () => (await entries('secret.closed')).at(-1)?.data).toMatchObject({ state: 'locked', why: expect.stringContaining('this machine shows none') });
    expect(await status()).toMatchObject({ state: 'locked', credential: false, machineKey: { from: 'failed', tpm: false, why: 'this machine shows none' } });
    expect(published()).toMatchObject({ state: 'locked', why: 'this machine shows none' });
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await ask({ op: 'key', kind: 'credential' })).toMatchObject({ ok: false, error: expect.stringContaining('shows no TPM 2.0') });
  });

  test('a key that is not sealed is none: refused with the reason, and nothing is changed; what was said of it unreadably is said to be', async () => {
    await start({ machineKey: 'none tpm' });
    await done({ op: 'init' }, PASSPHRASE);
    box.keeping('refuse');
    expect(await ask({ op: 'key', kind: 'credential' })).toEqual({ ok: false, error: 'the key was not sealed to the TPM: the firmware tells the TPM nothing' });
    expect(await status()).toMatchObject({ generation: 1, slots: ['passphrase', 'recovery'] });
    expect(readdirSync(box.paths().secretStoreOut)).toEqual([]);
    await done({ op: 'lock' });
    expect(await ask({ op: 'key', kind: 'credential' })).toMatchObject({ ok: false, error: expect.stringContaining('locked') });
    await kill('SIGKILL');
    await start({ machineKey: 'sealed\ttpm' });
    expect((await status()).machineKey).toEqual({ from: 'failed', tpm: false, why: 'what was said of the key of this machine cannot be read' });
  });

  test('one changed byte in any part of the file: up, closed, and it says why', async () => {
    await prepared(VALUE);
    await kill('SIGTERM');
    const whole = readFileSync(box.disk());
    const header = whole.indexOf(0x0a);
    const parts = { start: 0, slot: whole.indexOf('wrapped') + 20, binding: whole.indexOf('api.example.com'), newline: header, nonce: header + 3, value: header + 20, tag: whole.length - 40, sum: whole.length - 1 };
    for (const [part, at] of Object.entries(parts)) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x20;
      writeFileSync(box.disk(), changed);
      await start();
      expect(await status(), part).toMatchObject({ state: 'damaged', problem: expect.stringContaining('damaged') });
      expect(await ask({ op: 'unlock' }, PASSPHRASE), part).toMatchObject({ ok: false });
      expect(await ask({ op: 'init' }, PASSPHRASE), part).toMatchObject({ ok: false });
      expect(await use(), part).toMatchObject({ ok: false, rule: 'locked' });
      await kill('SIGTERM');
    }
    writeFileSync(box.disk(), whole);
    await start();
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
  });

  test('nobody looked whether there is a store, or could not: closed, and none is made over it', async () => {
    for (const [load, why] of [['nothing', 'was not handed over'], ['failed', 'the partition cannot be mounted']] as const) {
      await start({ load });
      expect(await status()).toMatchObject({ state: 'damaged', problem: expect.stringContaining(why) });
      expect(await ask({ op: 'init' }, PASSPHRASE)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
      await kill('SIGTERM');
    }
    await start();
    expect(await status()).toMatchObject({ state: 'absent' });
    await kill('SIGTERM');
    // What was said for one start says nothing for the next.
    await start({ load: 'not again' });
    expect(await ask({ op: 'init' }, PASSPHRASE)).toMatchObject({ ok: false, error: expect.stringContaining('was not handed over') });
  });
});

describe('one use', () => {
  test('a permit and its receipt get the value once, on record by name; each fault of them gets a refusal by its rule', async () => {
    await prepared(VALUE);
    const line = box.egress();
    const permit = box.permit();
    const receipt = await box.receipt(permit);
    expect(await line.ask('A_KEY', permit, receipt)).toMatchObject({ ok: true, value: VALUE });
    expect(await line.ask('A_KEY', permit, receipt)).toMatchObject({ ok: false, rule: 'receipt', why: expect.stringContaining('has been used') });
    expect((await entries('secret.used')).map(({ actor, data }) => [actor, data])).toEqual([
      [{ type: 'agent', id: 'coder' }, { agent: 'coder', name: 'A_KEY', host: 'api.example.com', port: 443, call: permit.call, intent: receipt.seq }],
    ]);
    const wrong: [string, Partial<NetPermit>, object, string, string][] = [
      ['another host', { host: 'evil.example.com' }, {}, 'not_bound', 'no secret of this name'],
      ['another port', { port: 8443 }, {}, 'not_bound', 'no secret of this name'],
      ['another agent', { agent: agent('other') }, {}, 'not_bound', 'no secret of this name'],
      ['not in the permit', { secrets: [] }, {}, 'receipt', 'not for a secret of that name'],
      ['late', { notAfter: bootMillis() + 1 }, {}, 'receipt', 'over'],
      ['signature', {}, { signature: 'A'.repeat(86) + '==' }, 'receipt', 'did not sign'],
      ['another boot', {}, { boot: 'x' }, 'receipt', 'did not sign'],
    ];
    for (const [what, change, inReceipt, rule, why] of wrong) {
      const asked = box.permit(change);
      const got = { ...(await box.receipt(asked)), ...inReceipt };
      await sleep(2);
      expect(await line.ask('A_KEY', asked, got), what).toMatchObject({ ok: false, rule, why: expect.stringContaining(why) });
    }
    const narrow = box.permit();
    expect(await line.ask('A_KEY', { ...narrow, host: 'evil.example.com' }, await box.receipt(narrow))).toMatchObject({ rule: 'receipt', why: expect.stringContaining('another permit') });
    expect(await entries('secret.used')).toHaveLength(1);
    // No such secret, and not yours: the same words.
    const [unknown, foreign] = [await use({ secrets: ['B_KEY'] }, 'B_KEY'), await use({ agent: agent('other') })];
    expect({ ...unknown, id: 0 }).toEqual({ ...foreign, id: 0 });
    expect(await use()).toMatchObject({ ok: true });
  });

  test('how long a refusal takes does not tell a name that is there from one that is not (D13)', async () => {
    await prepared(VALUE);
    await done({ op: 'set', name: 'B_KEY', agents: ['other'], forbid: null, hosts: ['api.example.com'], header: null, rotateDays: 90, expires: null }, 'value-of-b');
    const line = box.egress();
    const took: Record<string, number[]> = { B_KEY: [], Z_KEY: [] };
    for (let n = 0; n < 150; n += 1) {
      for (const [name, times] of n % 2 === 0 ? Object.entries(took) : Object.entries(took).toReversed()) {
        const permit = box.permit({ secrets: [name] });
        const receipt = await box.receipt(permit);
        const begun = performance.now();
        expect(await line.ask(name, permit, receipt)).toMatchObject({ ok: false, rule: 'not_bound' });
        times.push(performance.now() - begun);
      }
    }
    const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!;
    const [there, notThere] = [median(took['B_KEY']!), median(took['Z_KEY']!)];
    // Of asks in turns, so that what else the machine does meets both.
    expect(Math.max(there, notThere) / Math.min(there, notThere)).toBeLessThan(2);
  });

  test('a receipt that was used is used after a restart too', async () => {
    await prepared(VALUE);
    const permit = box.permit();
    const receipt = await box.receipt(permit);
    expect(await box.egress().ask('A_KEY', permit, receipt)).toMatchObject({ ok: true });
    await kill('SIGKILL');
    await start();
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await box.egress().ask('A_KEY', permit, receipt)).toMatchObject({ ok: false, rule: 'receipt' });
    expect(await use()).toMatchObject({ ok: true });
  });

  test('nobody but holdfast-egress is served, root and operators neither', async () => {
    await prepared(VALUE);
    for (const uid of [0, UIDS.ops, UIDS.secret, UIDS.stranger]) {
      const permit = box.permit();
      const line = box.egress(uid);
      expect(await line.ask('A_KEY', permit, await box.receipt(permit)), String(uid)).toMatchObject({ ok: false, why: 'the connection was closed' });
    }
    expect(await use()).toMatchObject({ ok: true });
  });

  test('no record, no value: without the ledger every use is refused, and with it again there are uses', async () => {
    await prepared(VALUE);
    const [first, second] = [box.permit(), box.permit()];
    const receipts = [await box.receipt(first), await box.receipt(second)];
    const line = box.egress();
    expect(await line.ask('A_KEY', first, receipts[0])).toMatchObject({ ok: true });
    await box.ledger.kill('SIGKILL');
    expect(await line.ask('A_KEY', second, receipts[1])).toMatchObject({ ok: false, rule: 'receipt', why: expect.stringContaining('could not be recorded') });
    expect(await ask({ op: 'remove', name: 'A_KEY' })).toMatchObject({ ok: false, error: expect.stringContaining('could not be recorded') });
  });
});

describe('operators', () => {
  test('names only without a role for secrets; a stranger, root among them, gets nothing; nobody reads a value', async () => {
    await prepared(VALUE);
    expect(await done<readonly SecretView[]>({ op: 'list' })).toMatchObject([{ name: 'A_KEY', binding: { agents: ['coder'], setBy: 'anna', ageDays: 0 } }]);
    expect(await ask({ op: 'list' }, '', UIDS.viewer)).toEqual({ ok: true, disk: null, value: [{ name: 'A_KEY', binding: null }] });
    for (const request of [{ op: 'unlock' }, { op: 'init' }, { op: 'lock' }, { op: 'remove', name: 'A_KEY' }, { op: 'rotate', name: 'A_KEY', graceHours: 1, expires: null }, { op: 'level', agent: 'coder', level: 'full' }, { op: 'key', kind: 'recovery' }, set('B_KEY')] as const) {
      expect(await ask(request, VALUE, UIDS.viewer), request.op).toMatchObject({ ok: false, error: expect.stringContaining('roles') });
    }
    for (const uid of [0, UIDS.egress, UIDS.stranger]) expect(await ask({ op: 'list' }, '', uid)).toMatchObject({ ok: false, error: expect.stringContaining('no operator') });
    await expect.poll(async () => (await entries('door.refused')).map(({ data }) => data['uid'])).toEqual(expect.arrayContaining([0, UIDS.egress, UIDS.stranger]));
    for (const op of ['get', 'show', 'export', 'read']) expect(await ask({ op, name: 'A_KEY' } as never)).toMatchObject({ ok: false, error: expect.stringContaining('cannot read the request') });
  });

  test('changes hold at once, are published, recorded without a value, and survive a restart', async () => {
    await prepared(VALUE);
    await done({ op: 'access', name: 'A_KEY', agents: ['coder', 'tester'], forbid: null, hosts: ['api.example.com', 'eu.example.com:8443'], header: 'x-api-key: {}' });
    expect(await use({ agent: agent('tester'), host: 'eu.example.com', port: 8443 })).toMatchObject({ ok: true });
    await done({ op: 'access', name: 'A_KEY', agents: ['coder'], forbid: ['tester'], hosts: null, header: null });
    await done({ op: 'level', agent: 'tester', level: 'full' });
    expect(await use({ agent: agent('tester') })).toMatchObject({ ok: false, rule: 'not_bound' });
    await done({ op: 'level', agent: 'coder', level: 'none' });
    expect(await use()).toMatchObject({ ok: false, rule: 'not_bound' });
    await done({ op: 'level', agent: 'coder', level: 'scoped' });
    expect(await use()).toMatchObject({ ok: true });
    expect(published()).toMatchObject({ state: 'open', bindings: [{ agents: ['coder'], hosts: [{ host: 'api.example.com', port: 443 }, { host: 'eu.example.com', port: 8443 }], header: { name: 'x-api-key', template: '{}' }, placeholder: expect.stringMatching(/^sk-ant-api03-/) }] });
    expect(statSync(box.paths().secretBindings).mode & 0o777).toBe(0o644);
    await done({ op: 'rotate', name: 'A_KEY', graceHours: 24, expires: null }, 'the-second-value');
    await done(set('B_KEY'), 'another-value');
    await done({ op: 'remove', name: 'B_KEY' });
    expect(await use({ secrets: ['B_KEY'] }, 'B_KEY')).toMatchObject({ ok: false, rule: 'not_bound' });
    await kill('SIGTERM');
    await start();
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: 'the-second-value' });
    const changes = await entries('secret.changed');
    expect(changes.map(({ data }) => `${String(data['what'])} ${String(data['name'])}`)).toEqual(['store made *', 'set A_KEY', 'access A_KEY', 'access A_KEY', 'access of agent tester: full *', 'access of agent coder: none *', 'access of agent coder: scoped *', 'rotated A_KEY', 'set B_KEY', 'removed B_KEY']);
    expect(JSON.stringify([changes, published()])).not.toMatch(/canary|second-value|another-value/);
    expect(box.said()).not.toMatch(/canary|second-value|another-value/);
  });

  test('an expired secret is refused until it is rotated', async () => {
    await prepared(VALUE);
    const expires = new Date(Date.now() - 1_000).toISOString();
    await done({ op: 'rotate', name: 'A_KEY', graceHours: 0, expires }, 'too-late');
    expect(await use()).toMatchObject({ ok: false, rule: 'expired', why: expect.stringContaining('rotate A_KEY') });
    expect(await status()).toMatchObject({ expired: ['A_KEY'] });
    await done({ op: 'rotate', name: 'A_KEY', graceHours: 0, expires: null }, 'in-time');
    expect(await use()).toMatchObject({ ok: true, value: 'in-time' });
  });

  test('a disk that does not take it is said to whoever changed it and in status; the change holds, and is on the disk with the next', async () => {
    await prepared(VALUE);
    box.keeping('refuse');
    expect(await ask({ op: 'rotate', name: 'A_KEY', graceHours: 0, expires: null }, 'unkept')).toEqual({ ok: true, value: null, disk: 'the disk is full' });
    expect(await ask({ op: 'status' })).toMatchObject({ value: { disk: 'the disk is full' } });
    expect(await use()).toMatchObject({ ok: true, value: 'unkept' });
    box.keeping('keep');
    await done(set('B_KEY'), 'b');
    expect(await status()).toMatchObject({ disk: null });
    await kill('SIGKILL');
    await start();
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: 'unkept' });
  });

  test('killed before anybody took the change to the disk: the next start has it, and not what the disk has', async () => {
    await prepared(VALUE);
    box.keeping('silent');
    const asked = ask({ op: 'rotate', name: 'A_KEY', graceHours: 0, expires: null }, 'untaken');
    await expect.poll(() => existsSync(`${box.paths().secretStoreOut}/store`)).toBe(true);
    await kill('SIGKILL');
    expect(await asked).toMatchObject({ ok: null });
    await start();
    expect(await status()).toMatchObject({ state: 'locked', generation: 3 });
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: 'untaken' });
  });

  test('what is not a request is refused, and a value is never said back', async () => {
    await prepared(VALUE);
    const raw = async (bytes: string): Promise<string> => {
      const socket = asUid(UIDS.ops, () => connect(box.paths().secretOperatorSocket));
      socket.on('error', () => {});
      let got = '';
      socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
      socket.write(bytes);
      await once(socket, 'close');
      return got;
    };
    const envelope = (request: object, more = '', secretBytes = more.length): string => `${JSON.stringify({ request, secretBytes })}\n${more}`;
    expect(JSON.parse(await raw(envelope(set('B_KEY'), 'canary-b')))).toMatchObject({ ok: true });
    const wrong: [string, string][] = [
      ['[]\n', 'must be an object'],
      ['{"request":1}\n', 'secretBytes is missing'],
      ['canary-b\n', 'not JSON'],
      [envelope({ op: 'get', name: 'B_KEY' }), 'op is not one'],
      [envelope({ ...set('C_KEY'), value: 'canary-b' }), '"value" is unknown'],
      [envelope(set('C_KEY'), ''), 'the value is empty'],
      [envelope(set('C_KEY'), 'canary-b\nx'), 'one line'],
      [envelope({ ...set('C_KEY'), hosts: ['*'] }, 'canary-b'), 'no host'],
      [envelope({ ...set('C_KEY'), name: 'c' }, 'canary-b'), 'name of a secret'],
      [envelope({ ...set('C_KEY'), agents: ['../x'] }, 'canary-b'), 'agent name'],
      [envelope({ op: 'status' }, '', 1_000_000), 'secretBytes must be'],
      [`${envelope({ op: 'status' })}more`, 'more than one request'],
      ['x'.repeat(70_000), 'too long'],
    ];
    for (const [bytes, why] of wrong) {
      const answer = await raw(bytes);
      expect(JSON.parse(answer), why).toMatchObject({ ok: false, error: expect.stringContaining(why) });
      expect(answer).not.toContain('canary');
    }
    expect((await done<readonly SecretView[]>({ op: 'list' })).map(({ name }) => name)).toEqual(['A_KEY', 'B_KEY']);
  });
});

describe('files (D05)', () => {
  test('after much use no file that anybody of this machine wrote holds a value, the passphrase or the recovery code, in any plain form', async () => {
    const [first, second] = ['canary-first-0123456789', 'canary-second-0123456789'];
    await start();
    const { recovery } = await done<MadeKeys>({ op: 'init' }, PASSPHRASE);
    await done(set('A_KEY'), first);
    for (let n = 0; n < 20; n += 1) await use();
    await done({ op: 'rotate', name: 'A_KEY', graceHours: 24, expires: null }, second);
    for (let n = 0; n < 20; n += 1) await use();
    await ask({ op: 'unlock' }, 'canary-second-0123456789');
    await kill('SIGKILL');
    await start();
    await done({ op: 'unlock' }, recovery!);
    expect(await use()).toMatchObject({ ok: true, value: second });
    const root = box.paths().units.replace('/run/systemd/system', '');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name)).filter((path) => statSync(path).isFile());
    const holding = (text: Buffer): readonly string[] => files.filter((path) => readFileSync(path).includes(text));
    // The control: names are everywhere.
    expect(holding(Buffer.from('A_KEY')).length).toBeGreaterThanOrEqual(3);
    for (const text of [first, second, PASSPHRASE, recovery!, recovery!.replaceAll('-', '')]) {
      const bytes = Buffer.from(text);
      const forms = [text, bytes.toString('hex'), bytes.toString('base64').replace(/.{0,2}=*$/, ''), encodeURIComponent(text), [...text].toReversed().join('')];
      for (const form of forms) expect(holding(Buffer.from(form)), form).toEqual([]);
      expect(box.said()).not.toContain(text);
    }
  });
});

describe('redaction', () => {
  test('what is open is removed from texts of those who write, the old value in its grace too; closed, nobody can tell', async () => {
    await box.prepared('canary-of-redaction-0001');
    const line = (uid: number) => asUid(uid, () => openLine(box.paths().secretRedactSocket, (why) => new Error(why)));
    const texts = ['plain canary-of-redaction-0001', Buffer.from('canary-of-redaction-0001').toString('base64'), 'canary-of-redaction-0002', 'none'];
    const writer = await line(0);
    const cleaned = async (): Promise<unknown> => (await writer.ask({ texts }, 10_000))['texts'];
    expect(await cleaned()).toEqual(['plain [secret A_KEY removed]', '[secret A_KEY removed]', 'canary-of-redaction-0002', 'none']);
    await done({ op: 'rotate', name: 'A_KEY', graceHours: 1, expires: null }, 'canary-of-redaction-0002');
    expect(await cleaned()).toEqual(['plain [secret A_KEY removed]', '[secret A_KEY removed]', '[secret A_KEY removed]', 'none']);
    await done({ op: 'rotate', name: 'A_KEY', graceHours: 0, expires: null }, 'canary-of-redaction-0003');
    expect(await cleaned()).toEqual(texts);
    await done({ op: 'lock' });
    expect(await writer.ask({ texts }, 10_000)).toMatchObject({ ok: false, error: expect.stringContaining('closed') });
    writer.end();
    for (const uid of [UIDS.egress, UIDS.ops, UIDS.stranger]) {
      const other = await line(uid);
      await expect(other.ask({ texts }, 10_000).then((answer) => { if (answer['ok'] !== true) throw new Error(String(answer['error'])); })).rejects.toThrow();
      other.end();
    }
  });
});

describe('at length', () => {
  test('1 000 uses while it is rotated 20 times: each gets the whole old or the whole new value, none is refused (D10)', async () => {
    const valueOf = (n: number): string => `value-${String(n).padStart(4, '0')}-${'x'.repeat(300)}-${n}`;
    await prepared(valueOf(0));
    let rotated = 0;
    let begun = 0;
    const uses = (async () => {
      for (let n = 0; n < 1_000; n += 10) {
        const floor = rotated;
        const answers = await Promise.all(Array.from({ length: 10 }, () => use()));
        for (const answer of answers) expect(answer.ok && Array.from({ length: begun - floor + 1 }, (_, at) => valueOf(floor + at)).includes(answer.value), JSON.stringify(answer).slice(0, 200)).toBe(true);
      }
    })();
    for (let n = 1; n <= 20; n += 1) {
      begun = n;
      await done({ op: 'rotate', name: 'A_KEY', graceHours: n % 2 === 0 ? 0 : 24, expires: null }, valueOf(n));
      rotated = n;
      await sleep(20);
    }
    await uses;
    expect(await use()).toMatchObject({ ok: true, value: valueOf(20) });
    expect(await entries('secret.used')).toHaveLength(1_001);
  }, 300_000);

  test('200 secrets of 200 bytes: all there after a restart, each its own', async () => {
    await box.withManyKeys();
    await prepared(VALUE);
    const valueOf = (n: number): string => `${n}-`.padEnd(200, 'v');
    for (let n = 0; n < 200; n += 1) await done(set(`KEY_${n}`), valueOf(n));
    await kill('SIGKILL');
    await start();
    await done({ op: 'unlock' }, PASSPHRASE);
    expect((await status()).secrets).toBe(201);
    for (let n = 0; n < 200; n += 1) expect(await use({ secrets: [`KEY_${n}`] }, `KEY_${n}`), String(n)).toMatchObject({ ok: true, value: valueOf(n) });
    expect(existsSync(`${box.paths().secretStoreOut}/store`)).toBe(false);
  }, 300_000);

  test('more than the kernel takes: the one too many is refused in words, and nothing that was there is lost', async () => {
    const most = Number(readFileSync('/proc/sys/kernel/keys/maxkeys', 'utf8'));
    await prepared(VALUE);
    let refused = '';
    for (let n = 0; n <= most && refused === ''; n += 1) {
      const answer = await ask(set(`KEY_${n}`), 'v'.repeat(100));
      if (answer.ok !== true) refused = answer.error;
    }
    expect(refused).toContain('EDQUOT');
    expect((await entries('secret.changed')).at(-1)).toMatchObject({ data: { what: 'undone' } });
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    const { secrets } = await status();
    await kill('SIGKILL');
    await start();
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    expect((await status()).secrets).toBe(secrets);
  }, 300_000);
});
