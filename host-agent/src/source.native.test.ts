// SPDX-License-Identifier: Apache-2.0
// Secrets that come from a server of secrets: the real holdfast-secretd and holdfast-egress, against the contract server over TLS.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { connectLine } from './testdata/lines.ts';
import type { SecretsStatus, SourceView } from './secret/operator-wire.ts';
import { OWN_ADDRESS, TOKEN, useSourcePlace } from './testdata/source-place.ts';
import { asUid, PASSPHRASE, UIDS } from './testdata/secretd-role.ts';
import type { VaultFault } from './testdata/vault-world.ts';

const VALUE = 'sk-ant-api03-canary-of-the-source';
const place = useSourcePlace();
const { box, ready, order, asked, set } = place;
const { ask, done, use, entries } = box;
const reads = (): readonly string[] => asked().filter(({ url }) => url.includes('/data/')).map(({ url }) => url);
const about = async (): Promise<SourceView['about']> => (await done<readonly SourceView[]>({ op: 'sources' }))[0]!.about;
const refusedBy = (why: string) => ({ ok: false, rule: 'source', why: expect.stringContaining(why) });
/** `failed` is remembered for so long. */
const past = (): Promise<void> => sleep(3_100);

describe('a value that comes from a source', () => {
  test('is read when it is set and when it is used, with what the interface asks for and nothing more', async () => {
    await ready();
    await done(set());
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    const data = asked().filter(({ url }) => url.includes('/data/'));
    expect(data).toHaveLength(1);
    expect(data[0]).toEqual({
      method: 'GET', url: '/v1/kv/data/app', body: '',
      headers: { host: 'vault.example.com:8200', 'x-vault-token': TOKEN, 'x-vault-request': 'true', accept: 'application/json', 'accept-encoding': 'identity', connection: 'close' },
    });
    expect(asked()[0]).toMatchObject({ method: 'GET', url: '/v1/auth/token/lookup-self' });
    // Its family is seen by what it is: the agent's placeholder has its vendor's shape.
    expect(readFileSync(box.paths().secretBindings, 'utf8')).toMatch(/"placeholder":"sk-ant-api03-/);
    expect((await entries('secret.read')).map(({ actor, data: said }) => [actor.id, said])).toEqual([['holdfast-secretd', { name: 'A_KEY', source: 'vault', host: 'vault.example.com', port: 8200 }]]);
    expect((await entries('secret.used')).map(({ data: said }) => said['name'])).toEqual(['A_KEY']);
    expect((await entries('secret.changed')).map(({ data: said }) => said['what'])).toEqual(['store made', 'source added: vault.example.com:8200', 'source has other certificates', 'set, from vault:kv/app#key']);
  });

  test('no token and no value is in an entry, a log, a published file, an argument or an answer to an operator', async () => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    await use();
    await order({ fault: { status: 500, body: `{"errors":["${TOKEN} ${VALUE}"]}` } });
    expect(await use()).toMatchObject(refusedBy('a fault at its side (500)'));
    const told = [await ask({ op: 'sources' }), await ask({ op: 'list' }), await ask({ op: 'status' }), await ask(set('vault:kv/app#key', 'OTHER'))];
    const files = [box.paths().secretBindings, box.paths().secretSources, box.paths().secretSourceAddresses].map((path) => readFileSync(path, 'utf8'));
    const processes = [place.secretd(), place.egress()].flatMap(({ pid }) => ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8')));
    const all = await Promise.all((['secret.read', 'secret.used', 'secret.changed', 'door.refused', 'secret.closed'] as const).map(entries));
    // The control: the server did see both.
    expect(JSON.stringify(asked())).toContain(TOKEN);
    for (const text of [JSON.stringify(all), box.said(), place.egressSaid(), JSON.stringify(told), ...files, ...processes]) expect(text).not.toMatch(/canary/);
  });

  test('is kept for the time that was said and no longer, and what changes there is taken up by then', async () => {
    await ready({ cacheSeconds: 2 });
    await done(set());
    await order({ put: ['kv/app', { key: 'the-next-canary' }] });
    expect(await use()).toMatchObject({ value: VALUE });
    expect(reads()).toHaveLength(1);
    await sleep(2_100);
    expect(await use()).toMatchObject({ value: 'the-next-canary' });
    expect(reads()).toHaveLength(2);
  });

  test('with no time to keep it each use reads it; uses at one time share one reading', async () => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    await use();
    await use();
    expect(reads()).toHaveLength(3);
    const together = await Promise.all([use(), use(), use(), use()]);
    expect(together.every((answer) => answer.ok && answer.value === VALUE)).toBe(true);
    expect(reads().length).toBeLessThan(7);
  });

  test('is removed from texts from the moment that it was read, and the one before it too', async () => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    await order({ put: ['kv/app', { key: 'the-next-canary' }] });
    await use();
    const line = await connectLine(box.paths().secretRedactSocket);
    expect(await line.ask({ id: 1, texts: [`a ${VALUE} b the-next-canary c ${TOKEN}`] })).toMatchObject({ ok: true, texts: ['a [secret A_KEY removed] b [secret A_KEY removed] c [secret vault.token removed]'] });
    line.close();
  });

  test('locking forgets it and closes the way; unlocking opens both', async () => {
    await ready();
    await done(set());
    expect(JSON.parse(readFileSync(box.paths().secretSources, 'utf8'))).toEqual({ v: 1, sources: [{ name: 'vault', host: 'vault.example.com', port: 8200, address: null }] });
    await done({ op: 'lock' });
    expect(JSON.parse(readFileSync(box.paths().secretSources, 'utf8'))).toEqual({ v: 1, sources: [] });
    expect(await use()).toMatchObject({ ok: false, rule: 'locked' });
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    expect(reads()).toHaveLength(2);
  });

  test('outlives a restart: what is kept is where it comes from', async () => {
    await ready();
    await done(set());
    await box.kill('SIGKILL');
    await box.start();
    await done({ op: 'unlock' }, PASSPHRASE);
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    expect(readFileSync(box.disk()).includes(Buffer.from('canary'))).toBe(false);
  });

  test('is not rotated here, and its source is not removed under it; without it, it is', async () => {
    await ready();
    await done(set());
    expect(await ask({ op: 'rotate', name: 'A_KEY', graceHours: 24, expires: null }, 'x')).toMatchObject({ ok: false, error: expect.stringContaining('vault:kv/app#key') });
    expect(await ask({ op: 'source-remove', name: 'vault' })).toMatchObject({ ok: false, error: expect.stringContaining('A_KEY') });
    await done({ op: 'remove', name: 'A_KEY' });
    await done({ op: 'source-remove', name: 'vault' });
    expect(await done({ op: 'sources' })).toEqual([]);
  });

  test('of a namespace, which is said with each question', async () => {
    await ready();
    await order({ put: ['kv/app', { key: 'canary-of-the-namespace' }, { namespace: 'team/a' }] });
    await done({ op: 'source-add', name: 'other', url: 'https://vault.example.com:8200', namespace: 'team/a/', address: null, cacheSeconds: 60 }, TOKEN);
    await done({ op: 'source-ca', name: 'other' }, place.pem());
    await done(set('other:kv/app#key'));
    expect(await use()).toMatchObject({ value: 'canary-of-the-namespace' });
    expect(asked().at(-1)?.headers).toMatchObject({ 'x-vault-namespace': 'team/a' });
  });
});

describe('leases', () => {
  test('a lease that is shorter than the time to keep it ends it; with the server gone it is not used again', async () => {
    await ready({ cacheSeconds: 60 });
    await order({ set: { leaseDuration: 2 } });
    await done(set());
    expect(await use()).toMatchObject({ value: VALUE });
    expect(reads()).toHaveLength(1);
    await place.killVault();
    expect(await use()).toMatchObject({ value: VALUE });
    await sleep(2_100);
    expect(await use()).toMatchObject(refusedBy('the source vault does not give it'));
    await place.startVault();
    await order({ token: [TOKEN, {}] });
    await order({ put: ['kv/app', { key: VALUE }] });
    await past();
    expect(await use()).toMatchObject({ ok: true });
  });

  test('a version that deletes itself is not used after that', async () => {
    await ready({ cacheSeconds: 60 });
    await order({ put: ['kv/app', { key: VALUE }, { deleteAfter: 3 }] });
    await done(set());
    expect(await use()).toMatchObject({ ok: true });
    await sleep(3_100);
    expect(await use()).toMatchObject(refusedBy('deleted there'));
  });

  test('a token that is renewable is renewed before it ends', async () => {
    await ready({ cacheSeconds: 0, token: { ttl: 3, renewable: true } });
    await done(set());
    await sleep(5_000);
    expect(asked().filter(({ url, method, body }) => url === '/v1/auth/token/renew-self' && method === 'POST' && body === '{}').length).toBeGreaterThanOrEqual(1);
    expect(await use()).toMatchObject({ ok: true });
    expect(await about()).toMatchObject({ renewable: true, problem: null });
  });

  test('with a token that has ended nothing is used, kept or not; a new one helps', async () => {
    await ready({ cacheSeconds: 60, token: { ttl: 3 } });
    await done(set());
    expect(await use()).toMatchObject({ ok: true });
    await sleep(3_100);
    expect(await use()).toMatchObject(refusedBy('its token has ended; an operator gives it a new one: holdfast secret source token vault'));
    expect(await done<SecretsStatus>({ op: 'status' })).toMatchObject({ sources: [{ name: 'vault', problem: expect.stringContaining('has ended') }] });
    await order({ token: ['hvs.a-new-canary', { ttl: 60 }] });
    await done({ op: 'source-token', name: 'vault' }, 'hvs.a-new-canary');
    expect(await use()).toMatchObject({ ok: true });
  });

  test('a renewal that reaches no further than its longest ends with it', async () => {
    await ready({ cacheSeconds: 60, token: { ttl: 3, renewable: true, maxTtl: 4 } });
    await done(set());
    await sleep(4_200);
    expect(await use()).toMatchObject(refusedBy('token has ended'));
  });

  test('a token that was revoked: a value is used for the time it is kept, and then refused', async () => {
    await ready({ cacheSeconds: 1 });
    await done(set());
    await order({ revoke: TOKEN });
    await sleep(1_100);
    expect(await use()).toMatchObject(refusedBy('does not accept the token'));
    await expect.poll(async () => (await about())?.problem).toContain('does not accept the token');
  });
});

describe('what is refused', () => {
  test('setting a secret from where there is none says so, and nothing is set', async () => {
    await ready();
    await order({ token: [TOKEN, { paths: ['kv/app', 'kv/nothing'] }] });
    const cases = [['vault:kv/nothing#key', 'nothing at this path'], ['vault:kv/app#nothing', 'no field of that name'], ['vault:kv/secret#key', 'policy of the token'], ['other:kv/app#key', 'no source other'], ['vault:kv/app', 'SOURCE:MOUNT/PATH#FIELD']] as const;
    for (const [at, [from, why]] of cases.entries()) expect(await ask(set(from, `KEY_${at}`)), from).toMatchObject({ ok: false, error: expect.stringContaining(why) });
    expect(await ask(set(), 'a value besides')).toMatchObject({ ok: false, error: expect.stringContaining('none is given') });
    expect(await done({ op: 'list' })).toEqual([]);
  });

  test('who cannot prove to be the host gets no token: another authority, another name', async () => {
    await ready({ ca: false });
    expect(await ask(set())).toMatchObject({ ok: false, error: expect.stringContaining('could not prove that it is vault.example.com') });
    await done({ op: 'source-ca', name: 'vault' }, place.pem());
    await done(set());
    await done({ op: 'source-add', name: 'wrong', url: 'https://wrong.example.com:8200', namespace: null, address: null, cacheSeconds: 0 }, TOKEN);
    await done({ op: 'source-ca', name: 'wrong' }, place.pem());
    expect(await ask(set('wrong:kv/app#key', 'OTHER'))).toMatchObject({ ok: false, error: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') });
    expect(asked().every(({ headers }) => headers['host'] === 'vault.example.com:8200')).toBe(true);
  });

  test('a redirect is not followed, by nobody', async () => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    const before = asked().length;
    await order({ set: { standbyOf: 'api.test' } });
    expect(await use()).toMatchObject(refusedBy('(307), which the token is not taken to'));
    expect(asked().length).toBe(before + 1);
  });

  test.each<[string, VaultFault | 'sealed' | 'deleted', string]>([
    ['it is sealed', 'sealed', 'sealed'],
    ['the version is deleted', 'deleted', 'deleted there'],
    ['it says nothing', 'silent', 'did not answer in time'],
    ['it says a byte at a time', 'slow', 'did not answer in time'],
    ['it says that it will say 1 GiB', 'huge', 'longer than'],
    ['it says 1 GiB', 'endless', 'longer than'],
    ['it breaks off', 'half', 'broke off'],
    ['it hangs up', 'hang-up', 'did not answer as HTTP does'],
    ['it is no HTTP server', 'no-http', 'did not answer as HTTP does'],
    ['it answers with a page', { status: 200, body: '<html>' }, 'cannot be read'],
    ['it has many requests', { status: 429, body: '' }, '(429)'],
  ])('%s: in time, and with what to do', async (_, fault, why) => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    if (fault === 'sealed') await order({ set: { sealed: true } });
    else if (fault === 'deleted') await order({ remove: 'kv/app' });
    else await order({ fault });
    const began = performance.now();
    expect(await use()).toMatchObject(refusedBy(why));
    expect(performance.now() - began).toBeLessThan(8_000);
    expect((await entries('secret.read')).at(-1)?.data).toMatchObject({ name: 'A_KEY', source: 'vault', why: expect.stringContaining(why) });
    // What comes is bounded by us, and not by who sends it.
    if (fault === 'endless' || fault === 'huge') await expect.poll(() => place.poured()).toBeGreaterThan(0);
    expect(place.poured()).toBeLessThan(64 * 1024 * 1024);
    expect(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${place.secretd().pid}/status`, 'utf8'))?.[1])).toBeLessThan(400_000);
    // Who asks again at once is not heard there.
    const before = reads().length;
    expect(await use()).toMatchObject({ ok: false });
    expect(reads().length).toBe(before);
  });

  test('nobody there: an operator and an agent are told which source it is', async () => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    await place.killVault();
    expect(await use()).toMatchObject(refusedBy('the source vault does not give it: vault.example.com:8200 does not answer (ECONNREFUSED)'));
  });

  test('holdfast-egress away: refused, and that is said', async () => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    place.egress().kill('SIGKILL');
    await sleep(100);
    expect(await use()).toMatchObject(refusedBy('holdfast-egress'));
  });
});

describe('each way is on record', () => {
  test('before it is dialled, and not by who asks for it; where it cannot be, there is none', async () => {
    await ready({ cacheSeconds: 0 });
    await done(set());
    expect(place.door().sourceWays.map(({ id, ...way }) => [typeof id, way])).toContainEqual(['number', { ask: 'source', source: 'vault', host: 'vault.example.com', port: 8200, address: null }]);
    expect(place.door().sourceWays.length).toBe(asked().length + 1); // the one whose authority was not known yet
    const before = asked().length;
    place.door().unrecorded = 'Nothing can be recorded now, and nothing goes out unrecorded.';
    expect(await use()).toMatchObject(refusedBy('nothing goes out unrecorded'));
    await place.door().stop();
    await past();
    expect(await use()).toMatchObject(refusedBy('holdfastd'));
    expect(asked().length).toBe(before);
  });
});

describe('where a source may be', () => {
  test('a name that leads inside is refused; with its address said, exactly that is dialled and no name asked for', async () => {
    await ready({ url: 'https://inside.example.com:8200', address: null, ca: true });
    expect(await ask(set())).toMatchObject({ ok: false, error: expect.stringContaining('leads to an address that is not public') });
    await place.killVault();
    await place.startVault('10.0.0.5');
    await order({ token: [TOKEN, {}] });
    await order({ put: ['kv/app', { key: VALUE }] });
    await done({ op: 'source-add', name: 'inner', url: 'https://vault.corp.internal:8200', namespace: null, address: '10.0.0.5', cacheSeconds: 60 }, TOKEN);
    await done({ op: 'source-ca', name: 'inner' }, place.pem());
    await done(set('inner:kv/app#key'));
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    expect(readFileSync(box.paths().secretSourceAddresses, 'utf8')).toBe('10.0.0.5 8200\n');
    expect((await entries('secret.changed')).map(({ data }) => data['what'])).toContain('source added: vault.corp.internal:8200 at 10.0.0.5');
  });

  test.each(['127.0.0.1', '169.254.169.254', '0.0.0.0', '100.100.100.200', '224.0.0.1', '168.63.129.16', '0x7f.1', '::1'])('never at %s', async (address) => {
    await box.start();
    await done({ op: 'init' }, PASSPHRASE);
    expect(await ask({ op: 'source-add', name: 'vault', url: 'https://vault.example.com', namespace: null, address, cacheSeconds: 60 }, TOKEN)).toMatchObject({ ok: false });
  });

  test('holdfast-egress checks it for itself: what is written there by who may write there leads nowhere else', async () => {
    await ready();
    const through = async (source: string, uid: number = UIDS.secret): Promise<unknown> => {
      const line = asUid(uid, () => connectLine(box.paths().egressSourceSocket));
      const answer = await (await line).ask({ source }).catch((fault: Error) => fault.message);
      (await line).close();
      return answer;
    };
    const at = (address: string, host = 'vault.example.com'): void => writeFileSync(box.paths().secretSources, JSON.stringify({ v: 1, sources: [{ name: 'vault', host, port: 8200, address }] }));
    // The control.
    expect(await through('vault')).toEqual({ ok: true });
    for (const uid of [UIDS.egress, UIDS.ops, UIDS.stranger, 0]) expect(await through('vault', uid), String(uid)).toBe('closed');
    expect(await through('other')).toMatchObject({ ok: false, error: expect.stringContaining('no source of this name') });
    for (const address of ['127.0.0.1', '169.254.169.254', '100.64.0.1']) {
      at(address);
      expect(await through('vault'), address).toMatchObject({ ok: false, error: expect.stringContaining('no address that a source can have') });
    }
    at(OWN_ADDRESS);
    expect(await through('vault')).toMatchObject({ ok: false, error: `${OWN_ADDRESS} is this machine itself` });
    writeFileSync(box.paths().secretSources, '{"v":1,"sources":[{"name":"vault","host":"vault.example.com","port":8200}]}');
    expect(await through('vault')).toMatchObject({ ok: false });
    at('10.0.0.5');
    chownSync(box.paths().secretSources, UIDS.stranger, UIDS.stranger);
    expect(await through('vault')).toMatchObject({ ok: false, error: expect.stringMatching(/owner|owned|belongs/) });
  });
});

describe('holdfast secret source', () => {
  async function holdfast(words: readonly string[], input = '', uid: number = UIDS.ops): Promise<{ readonly out: string; readonly err: string; readonly code: number | null }> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'holdfast', '--root', place.root(), 'secret', ...words], { uid, gid: uid, cwd: '/', env: {} });
    const got = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => (got.out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (got.err += chunk.toString()));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    return { ...got, code };
  }
  const bind = ['--agent', 'coder', '--host', 'api.example.com'];

  test('from nothing to a value in use: add, ca, set --from, list, token, remove; and it says what is wrong', async () => {
    await box.start();
    await done({ op: 'init' }, PASSPHRASE);
    await place.startVault();
    await order({ token: [TOKEN, { ttl: 3_600, renewable: true }] });
    await order({ put: ['kv/app', { key: VALUE }] });
    expect(await holdfast(['source', 'list'])).toMatchObject({ code: 0, out: expect.stringContaining('there is no source') });
    expect(await holdfast(['source', 'add', 'vault', '--url', 'http://vault.example.com:8200'], TOKEN)).toMatchObject({ code: 1, err: expect.stringContaining('https://HOST') });
    expect(await holdfast(['source', 'add', 'vault', TOKEN, '--url', 'https://vault.example.com:8200'])).toMatchObject({ err: expect.stringContaining('does not go on the command line') });
    expect(await holdfast(['source', 'add', 'vault', '--url', 'https://vault.example.com:8200', '--cache', '5'], `${TOKEN}\n`)).toMatchObject({ code: 0, err: '', out: expect.stringContaining('--from vault:MOUNT/PATH#FIELD') });
    expect(await holdfast(['set', 'A_KEY', '--from', 'vault:kv/app#key', ...bind])).toMatchObject({ code: 1, err: expect.stringContaining('holdfast secret source ca') });
    expect(await holdfast(['source', 'ca', 'vault'], place.pem())).toMatchObject({ code: 0, err: '' });
    expect(await holdfast(['set', 'A_KEY', '--from', 'vault:kv/app#nothing', ...bind])).toMatchObject({ code: 1, err: expect.stringContaining('no field of that name') });
    expect(await holdfast(['set', 'A_KEY', '--from', 'vault:kv/app#key', ...bind])).toMatchObject({ code: 0, err: '', out: expect.stringContaining('is read there when it is used') });
    expect(await use()).toMatchObject({ ok: true, value: VALUE });
    const listed = await holdfast(['source', 'list']);
    expect(listed.out).toMatch(/^vault +https:\/\/vault\.example\.com:8200 +by DNS +own +5s +A_KEY +ends in \d+s, renewed before$/m);
    expect((await holdfast(['list'])).out).toMatch(/vault:kv\/app#key$/m);
    await order({ revoke: TOKEN });
    await order({ token: ['hvs.a-second-canary', {}] });
    expect(await holdfast(['source', 'token', 'vault'], 'hvs.a-second-canary\n')).toMatchObject({ code: 0 });
    expect(await use()).toMatchObject({ ok: true });
    expect(await holdfast(['source', 'remove', 'vault'])).toMatchObject({ code: 1, err: expect.stringContaining('A_KEY') });
    await holdfast(['remove', 'A_KEY']);
    expect(await holdfast(['source', 'remove', 'vault'])).toMatchObject({ code: 0 });
    expect(await holdfast(['source', 'list', '--json'], '', UIDS.viewer)).toMatchObject({ code: 0, out: '' });
    expect(JSON.stringify([listed, await holdfast(['status'])])).not.toContain('canary');
  });
});

describe('who may', () => {
  test('a viewer sees names; who holds no role changes nothing', async () => {
    await ready();
    expect(await ask({ op: 'sources' }, '', UIDS.viewer)).toMatchObject({ ok: true, value: [{ name: 'vault', about: null }] });
    for (const request of [{ op: 'source-token', name: 'vault' }, { op: 'source-remove', name: 'vault' }, { op: 'source-ca', name: 'vault' }] as const) expect(await ask(request, 'x', UIDS.viewer)).toMatchObject({ ok: false, error: expect.stringContaining('roles') });
    expect(await about()).toMatchObject({ url: 'https://vault.example.com:8200', ca: true, secrets: [], problem: null });
  });

  test('a key in the place of certificates is refused, and the server\'s own certificate too', async () => {
    await ready();
    expect(await ask({ op: 'source-ca', name: 'vault' }, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')).toMatchObject({ ok: false, error: expect.stringContaining('private key') });
    expect(await ask({ op: 'source-ca', name: 'vault' }, `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`)).toMatchObject({ ok: false, error: expect.stringContaining('cannot be read') });
  });
});
