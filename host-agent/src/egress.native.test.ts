// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once, type EventEmitter } from 'node:events';
import fc from 'fast-check';
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NetAsk, NetEnd, NetTurnedAway } from './egress/egress-wire.ts';
import { refusal } from './egress/net-refusal.ts';
import type { AgentName } from './identity/ids.ts';
import type { SecretBinding } from './secret/binding.ts';
import { agentWithNet, openEgressPlace, rule, type EgressPlace } from './testdata/egress-place.ts';
import type { Flooded } from './testdata/flood-client.ts';
import { copiesIn } from './testdata/process-memory.ts';
import { permitFor, recordedPermit } from './testdata/egress-doubles.ts';
import { askOn, connectTo, http, https, refusedBy, speak, tlsOver, type Refused } from './testdata/proxy-client.ts';

// The real holdfast-egress and the real ledger, in a network namespace with a world of its own (testdata/egress-world.ts).

const FLOOD = join(import.meta.dirname, 'testdata/flood-client.ts');
const KEY = 'sk-ant-true-0123456789abcdef';
const PLACEHOLDER = 'sk-ant-holdfast-000000000000';
const key: SecretBinding = { name: 'KEY', agents: ['coder' as AgentName], hosts: [{ host: 'model.test', port: 443 }], header: { name: 'authorization', template: 'Bearer {}' }, placeholder: PLACEHOLDER };
const AUTHORIZED = { Authorization: `Bearer ${PLACEHOLDER}` };

const coder = agentWithNet('coder', 30_100, [
  rule('web.test'),
  rule('small.test', { responseMax: 1000 }),
  rule('api.test', { methods: ['GET', 'POST'], paths: ['/echo', '/v1/**', '/public/*'] }),
  rule('ws.test', { upgrades: ['websocket'] }),
  rule('unsigned.test'), rule('wrong.test'), rule('inner.test'), rule('mixed.test'), rule('turns.test'), rule('closed.test'), rule('six.test'),
  rule('model.test', { mode: 'tunnel' }),
], [key]);
const other = agentWithNet('other', 30_101, [rule('web.test', { responseMax: 1000 })]);
const crowd = agentWithNet('crowd', 30_104, []);
const walled = agentWithNet('walled', 30_103, [rule('web.test', { methods: ['GET'], paths: ['/echo', '/v1/**'] }), rule('inner.test'), rule('closed.test'), rule('unsigned.test')], [{ ...key, agents: ['walled' as AgentName] }]);
const offline = agentWithNet('offline', 30_102, null);

let place: EgressPlace;
let ca = '';
let worldCa = '';
const sock = (agent = 'coder'): string => place.socketOf(agent);
const settled = async (count: number): Promise<readonly NetEnd[]> => {
  for (let n = 0; place.door.ends.length < count && n < 200; n += 1) await sleep(10);
  return place.door.ends;
};
const until = async (what: () => boolean): Promise<void> => {
  for (let n = 0; !what(); n += 1) {
    if (n > 1500) throw new Error('it did not come to be');
    await sleep(10);
  }
};

beforeAll(async () => {
  place = await openEgressPlace([coder, other, walled, crowd, offline]);
  ca = readFileSync(`${place.paths.egressTrust}/ca.pem`, 'utf8');
  worldCa = readFileSync(place.paths.egressExtraRoots, 'utf8');
  place.secrets.values.set('KEY', KEY);
});
afterAll(async () => place.close());
beforeEach(() => {
  place.door.forget();
  place.secrets.asks.length = 0;
  place.secrets.locked = false;
  (place.world as unknown[]).length = 0;
});
/** Also where it ends with an error: whoever is cut off sees one. */
const closing = (socket: EventEmitter): Promise<unknown> => new Promise((resolve) => void socket.once('close', resolve));
/** What was asked of the world, names and hosts. */
const asked = (): readonly unknown[] => place.world.filter((line) => 'asked' in line || 'dns' in line);
/** The file of a socket is there a moment before somebody listens. */
async function listening(path: string): Promise<void> {
  for (let n = 0; ; n += 1) {
    const socket = connect(path);
    const there = await new Promise<boolean>((resolve) => void socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    socket.destroy();
    if (there) return;
    if (n > 500) throw new Error(`nobody listens at ${path}`);
    await sleep(10);
  }
}
/** What holdfastd was told of refusals that it was not asked about. */
async function turnedAway(agent: string): Promise<readonly NetTurnedAway[]> {
  // What another agent's connection did in the test before may be told in between.
  const own = (): readonly NetTurnedAway[] => place.door.turnedAway.filter((told) => told.agent === agent);
  for (let n = 0; own().length === 0 && n < 300; n += 1) await sleep(10);
  return own();
}
const residentKb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${place.egress().pid!}/status`, 'utf8'))![1]);
const internalReached = (): boolean => place.world.some((line) => 'internalReached' in line);

describe('an inspected request', () => {
  test('is asked for, made, answered and its end told', async () => {
    const got = await https(sock(), 'web.test', ca, { method: 'POST', path: '/echo?q=1', headers: { 'Content-Type': 'text/plain', 'X-Own': 'a', Connection: 'close, X-Hop', 'X-Hop': '1' }, body: 'hello' });
    expect(got.status).toBe(200);
    const seen = JSON.parse(got.body) as { readonly headers: readonly string[]; readonly body: string; readonly url: string };
    expect([seen.url, seen.body]).toEqual(['/echo?q=1', 'hello']);
    expect(seen.headers).toEqual(expect.arrayContaining(['Host', 'web.test', 'X-Own', 'a']));
    expect(seen.headers).not.toContain('X-Hop');
    expect(got.headers['alt-svc']).toBeUndefined();
    expect(place.door.asks).toEqual([{ id: expect.any(Number), ask: 'open', agent: 'coder', what: 'request', host: 'web.test', port: 443, method: 'POST', path: '/echo', secrets: [], model: null, upgrade: null }]);
    const [end] = await settled(1);
    expect(end).toMatchObject({ tell: 'ended', how: 'ok', status: 200, address: '93.184.216.34', usage: null, why: null });
    expect(end!.bytesUp).toBeGreaterThan(50);
    expect(end!.bytesDown).toBeGreaterThan(got.body.length);
  });

  test('over http:// is inspected too, and an IPv6 host is reached', async () => {
    expect(await http(sock(), 'http://web.test/echo')).toMatchObject({ status: 200 });
    expect(place.door.asks[0]).toMatchObject({ host: 'web.test', port: 80, method: 'GET', path: '/echo' });
    expect(await https(sock(), 'six.test', ca, { path: '/' })).toMatchObject({ status: 200, body: 'hello' });
    expect(await settled(2)).toContainEqual(expect.objectContaining({ address: '2606:2800:220:1::34' }));
  });

  test('several on one connection are each asked for, over one connection to the host', async () => {
    const { socket } = await connectTo(sock(), 'web.test:443');
    const tls = await tlsOver(socket, 'web.test', { ca });
    let text = '';
    tls.on('data', (chunk: Buffer) => (text += chunk.toString()));
    tls.write('GET /a HTTP/1.1\r\nHost: web.test\r\n\r\nGET /b HTTP/1.1\r\nHost: web.test\r\n\r\n');
    await until(() => text.split('hello').length === 3);
    tls.write('GET /c HTTP/1.1\r\nHost: web.test\r\n\r\n');
    await until(() => text.split('hello').length === 4);
    tls.destroy();
    expect(place.door.asks.map(({ path }) => path)).toEqual(['/a', '/b', '/c']);
  });

  test('that holdfastd refuses is a 403 in JSON inside TLS, and nothing leaves', async () => {
    place.door.judge = () => ({ rule: 'net_not_granted', message: 'coder may not reach web.test:443', ask: 'net:connect:web.test:443', retryAfterMs: null });
    const got = await https(sock(), 'web.test', ca);
    expect(got.status).toBe(403);
    expect(got.headers['content-type']).toBe('application/json');
    expect(JSON.parse(got.body)).toEqual({ type: 'error', error: { type: 'holdfast_refused', rule: 'net_not_granted', message: 'Holdfast: coder may not reach web.test:443', ask: 'net:connect:web.test:443', retryAfterMs: null } });
    expect(asked()).toEqual([]);
  });

  test('over a quota is a 429 that says when to try again', async () => {
    place.door.judge = () => refusal('quota', 'today is used up', null, 61_500);
    const got = await https(sock(), 'web.test', ca);
    expect([got.status, got.headers['retry-after']]).toEqual([429, '62']);
  });

  test('over a quota for longer than programs should wait in silence is a 403 whose body says when', async () => {
    place.door.judge = () => refusal('quota', 'today is used up', null, 86_400_000);
    const got = await https(sock(), 'web.test', ca);
    expect([got.status, got.headers['retry-after'], (JSON.parse(got.body) as { error: object }).error]).toMatchObject([403, undefined, { rule: 'quota', retryAfterMs: 86_400_000 }]);
  });

  test.each<[string, string, string, string, number, string]>([
    ['another method', 'DELETE', 'api.test', '/echo', 403, 'method'],
    ['another path', 'GET', 'api.test', '/private', 403, 'path'],
    ['a way round the path', 'GET', 'api.test', '/public/..%2fprivate', 400, 'bad_request'],
    ['dots', 'GET', 'api.test', '/public/../private', 400, 'bad_request'],
    ['an encoded slash where paths are ruled', 'GET', 'api.test', '/public/a%2fb', 403, 'path'],
    ['TRACE', 'TRACE', 'web.test', '/', 400, 'bad_request'],
  ])('%s is refused before anybody is asked', async (_what, method, host, path, status, name) => {
    expect(await https(sock(), host, ca, { path: '/echo' })).toMatchObject({ status: 200 });
    place.door.asks.length = 0;
    const got = await https(sock(), host, ca, { method, path });
    expect([got.status, refusedBy(got)]).toEqual([status, name]);
    expect(place.door.asks).toEqual([]);
  });

  test('to a host that cannot prove its name is a 502, inside TLS', async () => {
    for (const host of ['unsigned.test', 'wrong.test']) {
      const got = await https(sock(), host, ca);
      expect([got.status, refusedBy(got)]).toEqual([502, 'upstream_tls']);
    }
    expect((await settled(2)).map(({ how }) => how)).toEqual(['failed', 'failed']);
    expect(place.world.filter((line) => 'asked' in line)).toEqual([]);
  });

  test('to nobody is a 504, to a name that is none a 502, and neither hangs', async () => {
    expect(refusedBy(await https(sock(), 'closed.test', ca))).toBe('unreachable');
    const none = await http(sock(), 'http://nowhere.test/');
    expect([none.status, refusedBy(none)]).toEqual([502, 'name_unresolved']);
    const before = Date.now();
    expect(refusedBy(await http(sock(), 'http://silent.test/'))).toBe('name_unresolved');
    expect(Date.now() - before).toBeLessThan(15_000);
    expect((await settled(3)).map(({ how }) => how)).toEqual(['unreachable', 'unreachable', 'unreachable']);
  });

  test('whose answer has two ends, or breaks off, is an error and no answer', async () => {
    expect(refusedBy(await http(sock(), 'http://web.test:8080/'))).toBe('upstream_failed');
    for (const status of ['000', '099', '101', '600', '999']) expect(refusedBy(await http(sock(), `http://web.test:8080/${status}`)), status).toBe('upstream_failed');
    place.door.ends.length = 1;
    await expect(https(sock(), 'web.test', ca, { path: '/early' })).rejects.toThrow();
    expect((await settled(2)).map(({ how }) => how)).toEqual(['failed', 'failed']);
  });
});

describe('addresses (F02, F04, F06)', () => {
  test.each(['inner.test', 'loop.test', 'meta.test', 'mixed.test', 'mapped.test', 'nat64.test'])('%s leads inside: refused, and nothing inside is reached', async (host) => {
    const got = await http(sock(), `http://${host}/`);
    expect([got.status, refusedBy(got)]).toEqual([403, 'internal_address']);
    const tunnel = await connectTo(sock(), `${host}:443`);
    if (tunnel.status !== 200) expect(refusedBy(tunnel)).toBe('internal_address');
    else tunnel.socket.destroy();
    expect(internalReached()).toBe(false);
  });

  test.each(['169.254.169.254', '127.0.0.1', '2130706433', '0177.0.0.1', '0x7f.1', '127.1', '0', '[::ffff:169.254.169.254]', '[::1]', '[fd00:ec2::254]', '[64:ff9b::7f00:1]', 'localhost', 'localhost.', 'metadata.google.internal', 'web.test.'])(
    '%s is refused in CONNECT and in a whole address, and nobody is asked', async (host) => {
      const got = await connectTo(sock(), `${host}:443`);
      expect([got.status, refusedBy(got)]).toEqual([403, 'bad_target']);
      const whole = await speak(sock(), `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect(whole).toMatch(/^HTTP\/1\.1 403 /);
      expect(whole).toContain('"rule":"bad_target"');
      expect(place.door.asks).toEqual([]);
      expect(internalReached()).toBe(false);
    },
  );

  test('a name that changes its answer is looked up once for a connection, and that answer is what counts', async () => {
    expect((await http(sock(), 'http://turns.test/')).status).toBe(200);
    expect(place.world.filter((line) => line['dns'] === 'turns.test' && line['type'] === 1)).toHaveLength(1);
    expect(refusedBy(await http(sock(), 'http://turns.test/'))).toBe('internal_address');
    expect(internalReached()).toBe(false);
  });

  test('a redirect is an answer; where it leads is asked for like anything else', async () => {
    const got = await http(sock('other'), 'http://web.test/redirect?to=http://169.254.169.254/latest/meta-data');
    expect([got.status, got.headers.location]).toEqual([302, 'http://169.254.169.254/latest/meta-data']);
    expect(refusedBy(await http(sock('other'), got.headers.location!))).toBe('bad_target');
    expect(place.door.asks).toHaveLength(1);
    // Told by its rule; no part of what was asked for.
    expect(await turnedAway('other')).toMatchObject([{ agent: 'other', rule: 'bad_target', host: null, count: 1 }]);
    expect(place.log()).not.toContain('meta-data');
  });

  test('no name is looked up before holdfastd has allowed it (F09)', async () => {
    place.door.judge = () => refusal('not_declared', 'no');
    await http(sock(), 'http://data-of-mine.web.test/');
    expect(asked()).toEqual([]);
  });
});

describe('requests with two meanings (F05, F08)', () => {
  const raw = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
  test.each<[string, string | Buffer]>([
    ['CL.TE', raw('POST http://web.test/echo HTTP/1.1', 'Host: web.test', 'Content-Length: 6', 'Transfer-Encoding: chunked', '', '0', '', 'G')],
    ['TE.CL', raw('POST http://web.test/echo HTTP/1.1', 'Host: web.test', 'Transfer-Encoding: chunked', 'Content-Length: 3', '', '1', 'a', '0')],
    ['two lengths', raw('POST http://web.test/echo HTTP/1.1', 'Host: web.test', 'Content-Length: 1', 'Content-Length: 2', '', 'ab')],
    ['gzip, chunked', raw('POST http://web.test/echo HTTP/1.1', 'Host: web.test', 'Transfer-Encoding: gzip, chunked', '', '0', '')],
    ['chunked twice', raw('POST http://web.test/echo HTTP/1.1', 'Host: web.test', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity', '', '0', '')],
    ['a folded line', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', 'X-A: a', ' b')],
    ['a space before the colon', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', 'X-A : a')],
    ['NUL', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', 'X-A: a\0b')],
    ['a line that ends with LF alone', 'GET http://web.test/echo HTTP/1.1\nHost: web.test\nContent-Length : 1\n\n'],
    ['two hosts', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', 'Host: other.test')],
    ['another host', raw('GET http://web.test/echo HTTP/1.1', 'Host: other.test')],
    ['no host', raw('GET http://web.test/echo HTTP/1.1')],
    ['HTTP/1.0', raw('GET http://web.test/echo HTTP/1.0', 'Host: web.test')],
    ['userinfo', raw('GET http://web.test@other.test/echo HTTP/1.1', 'Host: other.test')],
    ['a fragment', raw('GET http://other.test#web.test HTTP/1.1', 'Host: other.test')],
    ['two ports', raw('GET http://web.test:443:80/ HTTP/1.1', 'Host: web.test')],
    ['a backslash', raw('GET http://web.test\\@other.test/ HTTP/1.1', 'Host: web.test')],
    ['no proxy request', raw('GET /echo HTTP/1.1', 'Host: web.test')],
    ['https in the clear', raw('GET https://web.test/echo HTTP/1.1', 'Host: web.test')],
    ['a method that is none', raw('GET\t http://web.test/echo HTTP/1.1', 'Host: web.test')],
    ['a header of 1 MB', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', `X-A: ${'a'.repeat(1_000_000)}`)],
    ['100 000 headers', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', ...Array.from({ length: 100_000 }, (_, n) => `X-${n}: 1`))],
    ['300 headers', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', ...Array.from({ length: 300 }, (_, n) => `X-${n}: 1`))],
    ['h2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['h2c by upgrade', raw('GET http://web.test/echo HTTP/1.1', 'Host: web.test', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__')],
    ['TLS without CONNECT', Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 3])],
    ['CONNECT with a body', raw('CONNECT web.test:443 HTTP/1.1', 'Host: web.test:443', 'Content-Length: 5', '', 'hello')],
    ['CONNECT with another host', raw('CONNECT web.test:443 HTTP/1.1', 'Host: other.test:443')],
    ['CONNECT without a port', raw('CONNECT web.test HTTP/1.1', 'Host: web.test')],
  ])('%s is refused, the connection is closed, and nobody is asked', async (_what, text) => {
    const said = await speak(sock(), text, 8_000);
    expect(said).toMatch(/^HTTP\/1\.1 (?:400|403) /);
    expect(said).toContain('"holdfast_refused"');
    expect(said).toContain('Connection: close');
    // Nothing of what was smuggled behind it was taken for a second request.
    expect(said.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(place.door.asks).toEqual([]);
  });

  test('chunk extensions end here; the chunks go on', async () => {
    const said = await speak(sock(), 'POST http://web.test/echo HTTP/1.1\r\nHost: web.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n');
    expect(said).toMatch(/^HTTP\/1\.1 200 /);
    expect(place.world.find((line) => 'asked' in line)).toMatchObject({ body: 'hello' });
  });
});

test('whatever bytes come, before TLS, in it and within it, the same process serves on', async () => {
  const { pid } = place.egress();
  const whole = [
    'GET http://web.test/echo?a=b HTTP/1.1\r\nHost: web.test\r\nX-A: b\r\nConnection: keep-alive\r\n\r\n',
    'POST http://web.test/echo HTTP/1.1\r\nHost: web.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'CONNECT web.test:443 HTTP/1.1\r\nHost: web.test:443\r\n\r\n\x16\x03\x01\x00\x10\x01\x00\x00\x0cabcdefghijkl',
    'GET /chat HTTP/1.1\r\nHost: ws.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello',
  ];
  const spoiled = fc.tuple(fc.constantFrom(...whole), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }), fc.nat(400)).map(([text, changes, end]) => {
    const bytes = Buffer.from(text, 'latin1');
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return bytes.subarray(0, end === 0 ? bytes.length : end);
  });
  await fc.assert(
    fc.asyncProperty(fc.array(spoiled, { minLength: 20, maxLength: 20 }), async (list) => {
      await Promise.all(list.map(async (bytes, n) => {
        if (n % 2 === 0) return void (await speak(sock(), bytes, 150));
        const host = n % 4 === 1 ? 'web.test' : 'ws.test';
        const tls = await tlsOver((await connectTo(sock(), `${host}:443`)).socket, host, { ca });
        tls.write(bytes);
        await sleep(100);
        tls.destroy();
      }));
    }),
    { numRuns: 15 },
  );
  expect(place.egress().pid).toBe(pid);
  expect(place.egress().exitCode).toBeNull();
  expect((await https(sock(), 'web.test', ca)).status).toBe(200);
  expect(place.log()).not.toContain('because of a fault');
  expect(internalReached()).toBe(false);
});

test('whatever a host answers, the same process serves on', async () => {
  const { pid } = place.egress();
  const whole = [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close, X-B\r\nX-B: c\r\n\r\nmore',
    'HTTP/1.0 304 Not Modified\r\nETag: "\xff"\r\n\r\n',
  ];
  const spoiled = fc.tuple(fc.constantFrom(...whole), fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 3 }), fc.nat(300)).map(([text, changes, end]) => {
    const bytes = Buffer.from(text, 'latin1');
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return bytes.subarray(0, end < 100 ? bytes.length : end).toString('hex');
  });
  const ask = (said: string): Promise<string> => speak(sock(), `GET http://web.test:8080/said/${said} HTTP/1.1\r\nHost: web.test:8080\r\nConnection: close\r\n\r\n`, 1_500);
  await fc.assert(fc.asyncProperty(fc.array(spoiled, { minLength: 25, maxLength: 25 }), async (list) => {
    for (const told of await Promise.all(list.map(ask))) expect(told).toMatch(/^HTTP\/1\.1 [2-5]\d\d /);
  }), { numRuns: 12 });
  expect([place.egress().pid, place.egress().exitCode]).toEqual([pid, null]);
});

describe('what is refused here is on record', () => {
  const withSni = async (name: string): Promise<void> => void (await tlsOver((await connectTo(sock('walled'), 'web.test:443')).socket, name, { ca }).catch(() => {}));
  test.each<[string, () => Promise<unknown>, object]>([
    ['bytes that are no request', () => speak(sock('walled'), 'hunter2\r\n\r\n'), { rule: 'bad_request', host: null }],
    ['a header with two meanings', () => speak(sock('walled'), 'GET http://web.test/echo HTTP/1.1\r\nHost: web.test\r\nX-A: hunter2\0\r\n\r\n'), { rule: 'bad_request', host: null }],
    ['CONNECT to an address inside', () => connectTo(sock('walled'), '169.254.169.254:80'), { rule: 'bad_target', host: null }],
    ['CONNECT with another host', () => speak(sock('walled'), 'CONNECT web.test:443 HTTP/1.1\r\nHost: hunter2.test:443\r\n\r\n'), { rule: 'host_mismatch', host: 'web.test', port: 443 }],
    ['another method', () => https(sock('walled'), 'web.test', ca, { method: 'DELETE', path: '/echo' }), { rule: 'method', host: 'web.test' }],
    ['another path', () => https(sock('walled'), 'web.test', ca, { path: '/hunter2?hunter2=1' }), { rule: 'path', host: 'web.test' }],
    ['a placeholder elsewhere', () => https(sock('walled'), 'web.test', ca, { path: `/echo?hunter2=${PLACEHOLDER}` }), { rule: 'placeholder', host: 'web.test' }],
    ['a key in the clear', () => http(sock('walled'), 'http://model.test:443/echo', { headers: AUTHORIZED }), { rule: 'placeholder', host: 'model.test' }],
    ['TLS for another name', () => withSni('other.test'), { rule: 'tls_name', host: 'web.test' }],
    ['a question to a model that is none', () => http(sock('walled'), 'http://other.test/v1/messages', { method: 'POST', body: '{"hunter2":1}' }), { rule: 'model_body', host: 'other.test', port: 80 }],
    ['an upgrade with a body', () => speak(sock('walled'), 'GET http://web.test/echo HTTP/1.1\r\nHost: web.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 7\r\n\r\nhunter2'), { rule: 'upgrade', host: 'web.test', port: 80 }],
  ])('%s, before anybody was asked: told by rule and place', async (_what, act, what) => {
    await act();
    expect(await turnedAway('walled')).toMatchObject([{ tell: 'refused', agent: 'walled', count: 1, ...what }]);
    expect(JSON.stringify(place.door.turnedAway)).not.toContain('hunter2');
    expect(place.door.asks).toEqual([]);
  });

  test.each<[string, () => Promise<unknown>, Partial<NetEnd>]>([
    ['a name that leads inside', () => https(sock('walled'), 'inner.test', ca), { how: 'refused', why: 'internal_address', address: null }],
    ['a certificate that nobody vouches for', () => https(sock('walled'), 'unsigned.test', ca), { how: 'failed', why: 'upstream_tls' }],
    ['a host that does not answer', () => https(sock('walled'), 'closed.test', ca), { how: 'unreachable', why: 'unreachable' }],
    ['a name that there is not', () => http(sock('walled'), 'http://nowhere.test/'), { how: 'unreachable', why: 'name_unresolved' }],
    ['a tunnel to a name that leads inside', () => connectTo(sock('walled'), 'meta.test:443'), { how: 'refused', why: 'internal_address' }],
    ['a tunnel in which TLS asks for another name', async () => tlsOver((await connectTo(sock('walled'), 'other.test:443')).socket, 'web.test', { ca: worldCa }).catch(() => {}), { how: 'refused', why: 'tls_name: it asks for "web.test", not for other.test' }],
    ['secrets that are locked', () => https(sock('walled'), 'model.test', ca, { path: '/echo', headers: AUTHORIZED }), { how: 'refused', why: 'secret_locked' }],
    ['more bytes than were allowed', () => https(sock('walled'), 'web.test', ca, { path: '/echo' }).catch(() => {}), { how: 'quota', why: 'more than 10 bytes were sent' }],
  ])('%s, after it was judged: the end of its intent says why', async (what, act, end) => {
    place.secrets.locked = true;
    if (what.startsWith('more bytes')) place.door.judge = () => ({ bytesUp: 10 });
    await act();
    expect((await settled(1))[0]).toMatchObject(end);
    expect(place.door.turnedAway.filter(({ agent }) => agent === 'walled')).toEqual([]);
  });
});

describe('a tunnel', () => {
  test('passes bytes that nobody reads, once TLS asks for its name', async () => {
    const { status, socket } = await connectTo(sock(), 'other.test:443');
    expect(status).toBe(200);
    const tls = await tlsOver(socket, 'other.test', { ca: worldCa });
    expect(await askOn(tls, 'other.test', { path: '/echo' })).toMatchObject({ status: 200 });
    tls.destroy();
    expect(place.door.asks).toEqual([{ id: expect.any(Number), ask: 'open', agent: 'coder', what: 'tunnel', host: 'other.test', port: 443, method: null, path: null, secrets: [], model: null, upgrade: null }]);
    expect((await settled(1))[0]).toMatchObject({ status: null, address: '93.184.216.34' });
  });

  test('that is refused says so in the answer to CONNECT', async () => {
    place.door.judge = () => refusal('not_declared', 'no', 'net:connect:other.test:443');
    const got = await connectTo(sock(), 'other.test:443');
    expect([got.status, refusedBy(got), (JSON.parse(got.body) as Refused).error.ask]).toEqual([403, 'not_declared', 'net:connect:other.test:443']);
    expect(asked()).toEqual([]);
  });

  test.each<[string, (socket: import('node:net').Socket) => void]>([
    ['another name', (socket) => void tlsOver(socket, 'other.test', { ca: worldCa, servername: 'web.test' }).catch(() => {})],
    ['no name', (socket) => void tlsOver(socket, 'other.test', { ca: worldCa, servername: '' }).catch(() => {})],
    ['plain HTTP', (socket) => void socket.write('GET / HTTP/1.1\r\nHost: other.test\r\n\r\n')],
    ['SSH', (socket) => void socket.write('SSH-2.0-x\r\n')],
  ])('%s in it ends it', async (_what, speakIn) => {
    const { socket } = await connectTo(sock(), 'other.test:443');
    const closed = closing(socket);
    socket.resume();
    speakIn(socket);
    await closed;
    expect((await settled(1))[0]).toMatchObject({ how: 'refused', why: expect.stringContaining('tls_name') });
    expect(place.world.filter((line) => 'asked' in line)).toEqual([]);
  });

  test('is ended when its bytes are used up', async () => {
    place.door.judge = () => ({ bytesDown: 200_000 });
    const { socket } = await connectTo(sock(), 'other.test:8443');
    const tls = await tlsOver(socket, 'other.test', { ca: worldCa });
    let got = 0;
    tls.on('data', (chunk: Buffer) => (got += chunk.length));
    tls.write('GIVE 10000000\n');
    await closing(tls);
    expect(got).toBeLessThan(300_000);
    expect((await settled(1))[0]).toMatchObject({ how: 'quota' });
  });

  test('is cut at once when authority ends, and ends at its time', async () => {
    const { socket } = await connectTo(sock(), 'other.test:443');
    const tls = await tlsOver(socket, 'other.test', { ca: worldCa });
    const closed = closing(tls);
    place.door.cut(lastCall(), 'the grant was taken back');
    await closed;
    expect((await settled(1))[0]).toMatchObject({ how: 'cut', why: 'the grant was taken back' });

    place.door.judge = () => ({ forMs: 800 });
    const second = await connectTo(sock(), 'other.test:443');
    await closing(second.socket.resume());
    expect(await settled(2)).toContainEqual(expect.objectContaining({ how: 'deadline' }));
  });
});

const lastCall = (): string => place.door.permits.at(-1)!.call;

describe('what is permitted', () => {
  test.each<[string, (permit: import('./egress/net-permit.ts').NetPermit) => import('./egress/net-permit.ts').NetPermit]>([
    ['another host', (permit) => ({ ...permit, host: 'other.test' })],
    ['a later end', (permit) => ({ ...permit, notAfter: permit.notAfter + 1 })],
    ['a secret more', (permit) => ({ ...permit, secrets: ['KEY'] })],
  ])('with %s than the ledger signed goes nowhere', async (_what, spoil) => {
    place.door.judge = () => ({ spoil });
    const got = await https(sock(), 'web.test', ca);
    expect([got.status, refusedBy(got)]).toEqual([403, 'gate_unavailable']);
    expect(asked()).toEqual([]);
    expect((await settled(1))[0]).toMatchObject({ how: 'failed', why: 'the permit was not usable' });
  });

  test('while holdfastd is away nothing goes out, what went is cut, and it is well when it is back', async () => {
    const { socket } = await connectTo(sock(), 'other.test:443');
    await tlsOver(socket, 'other.test', { ca: worldCa });
    const closed = closing(socket);
    await place.door.stop();
    await closed;
    const got = await https(sock(), 'web.test', ca);
    expect([got.status, refusedBy(got)]).toEqual([403, 'gate_unavailable']);
    expect(refusedBy(await connectTo(sock(), 'other.test:443'))).toBe('gate_unavailable');
    await place.door.start();
    expect((await https(sock(), 'web.test', ca)).status).toBe(200);
  });
});

describe('a secret', () => {
  test('stands in its header at its host, and nowhere in what the agent sees', async () => {
    const got = await https(sock(), 'model.test', ca, { path: '/key-back', headers: AUTHORIZED });
    expect(place.door.asks[0]).toMatchObject({ host: 'model.test', secrets: ['KEY'] });
    expect(place.secrets.asks[0]).toMatchObject({ name: 'KEY', permit: { host: 'model.test', secrets: ['KEY'] } });
    const sent = place.world.find((line) => 'asked' in line) as { readonly headers: readonly string[] };
    expect(sent.headers).toContain(`Bearer ${KEY}`);
    expect(got.status).toBe(200);
    expect(got.body).toContain('[secret KEY removed]');
    expect(got.body).not.toContain(KEY);
    expect(got.body).not.toContain(Buffer.from(KEY).toString('base64').slice(4, -4));
    expect(place.log()).not.toContain(KEY);
  });

  test.each<[string, string, Record<string, string>, string]>([
    ['another header', 'model.test', { 'X-Api-Key': PLACEHOLDER }, '/'],
    ['another host', 'web.test', AUTHORIZED, '/'],
    ['the query', 'model.test', {}, `/?key=${PLACEHOLDER}`],
  ])('is not given for a placeholder in %s', async (_what, host, headers, path) => {
    const got = await https(sock(), host, ca, { path, headers });
    expect([got.status, refusedBy(got)]).toEqual([403, 'placeholder']);
    expect([place.door.asks, place.secrets.asks, asked()]).toEqual([[], [], []]);
  });

  test('in a body is only a placeholder, and goes as it is', async () => {
    await https(sock(), 'model.test', ca, { method: 'POST', path: '/echo', headers: AUTHORIZED, body: `I use ${PLACEHOLDER}` });
    expect(place.world.find((line) => 'asked' in line)).toMatchObject({ body: `I use ${PLACEHOLDER}` });
  });

  test('never travels in the clear', async () => {
    expect(refusedBy(await http(sock(), 'http://model.test/', { headers: AUTHORIZED }))).toBe('placeholder');
  });

  test('that is locked is a refusal with the command that unlocks it; so is a silent holdfast-secretd', async () => {
    place.secrets.locked = true;
    const got = await https(sock(), 'model.test', ca, { headers: AUTHORIZED });
    expect([got.status, refusedBy(got)]).toEqual([403, 'secret_locked']);
    expect(got.body).toContain('holdfast secret unlock');
    await place.secrets.stop();
    expect(refusedBy(await https(sock(), 'model.test', ca, { headers: AUTHORIZED }))).toBe('secret_unavailable');
    await place.secrets.start();
    expect((await settled(2)).map(({ how }) => how)).toEqual(['refused', 'refused']);
    expect(asked()).toEqual([]);
  });
});

describe('an answer to a request that carried a secret', () => {
  test.each(['identity', ''])('passes as it is (%j), without the secret in head and body', async (coding) => {
    const got = await https(sock(), 'model.test', ca, { path: `/coded?in=${coding}`, headers: AUTHORIZED });
    expect([got.status, got.body, got.headers['x-said']]).toEqual([200, 'you sent Bearer [secret KEY removed]', 'Bearer [secret KEY removed]']);
    expect(place.world.find((line) => 'asked' in line)).toMatchObject({ headers: expect.arrayContaining(['accept-encoding', 'identity', `Bearer ${KEY}`]) });
  });

  test.each(['gzip', 'deflate', 'br', 'zstd', 'x-gzip', 'GZIP', 'aes128gcm', 'identity,%20gzip', 'gzip&transfer'])('is refused when it is packed in %s, for nobody looks into it', async (coding) => {
    // The control: without a secret it is the program's to unpack.
    expect((await https(sock(), 'web.test', ca, { path: `/coded?in=${coding}` })).status).toBe(200);
    const got = await https(sock(), 'model.test', ca, { path: `/coded?in=${coding}`, headers: { ...AUTHORIZED, 'Accept-Encoding': 'gzip, br' } });
    expect([got.status, refusedBy(got)]).toEqual([502, 'response_encoding']);
    expect(got.body).not.toContain(KEY);
    // Whose end is told first is not said.
    expect(await settled(2)).toContainEqual(expect.objectContaining({ how: 'refused', why: 'response_encoding', status: 200 }));
  });

  test('is refused at once when it is a bomb, and a model that packs its answer is charged its ceiling', async () => {
    const before = residentKb();
    const begun = Date.now();
    expect(refusedBy(await https(sock(), 'model.test', ca, { path: '/bomb-with-key', headers: AUTHORIZED }))).toBe('response_encoding');
    expect(Date.now() - begun).toBeLessThan(5_000);
    expect(residentKb() - before).toBeLessThan(64 * 1024);
    place.door.ends.length = 0;
    const ask = JSON.stringify({ model: 'm', max_tokens: 7, messages: [] });
    expect(refusedBy(await https(sock(), 'model.test', ca, { method: 'POST', path: '/coded/v1/messages', body: ask, headers: AUTHORIZED }))).toBe('response_encoding');
    expect((await settled(1))[0]).toMatchObject({ usage: { output: 7, said: false } });
  });
});

describe('memory of holdfast-egress', () => {
  // Of at most 64 bytes and of more, for V8 keeps the two in different places. Each name is a value that was never asked for before.
  test.each([['16 bytes', 'mem16-0123456789'], ['40 bytes', `mem40-${'0123456789'.repeat(4)}`.slice(0, 40)], ['200 bytes', `mem200-${'abcdefghij'.repeat(20)}`.slice(0, 200)]])('holds no copy of a value of %s, and none of its forms, after it was used', async (_what, value) => {
    place.secrets.values.set('KEY', value);
    try {
      for (let n = 0; n < 20; n += 1) expect((await https(sock(), 'model.test', ca, { path: '/said-nothing', headers: AUTHORIZED, ...(n % 2 === 0 ? {} : { method: 'POST', body: 'a body behind the head' }) })).status).toBe(200);
    } finally {
      place.secrets.values.set('KEY', KEY);
    }
    expect(place.secrets.asks).toHaveLength(20);
    expect(place.world.filter((line) => JSON.stringify(line).includes(value))).toHaveLength(20);
    const pid = place.egress().pid!;
    // The control: what is a string in it is found.
    expect(copiesIn(pid, 'model.test')).toBeGreaterThan(0);
    const bytes = Buffer.from(value);
    const forms = { plain: value, hex: bytes.toString('hex'), base64: bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64'), reversed: [...value].toReversed().join('') };
    expect(Object.fromEntries(Object.entries(forms).map(([form, text]) => [form, copiesIn(pid, text)]))).toEqual({ plain: 0, hex: 0, base64: 0, reversed: 0 });
  });
});

describe('a model', () => {
  const body = (more: object): string => JSON.stringify({ model: 'm-1', stream: true, ...more });
  test('is recognised, streamed on as it comes, and its cost read from the stream', async () => {
    const sent = body({ max_tokens: 400, messages: [] });
    const got = await https(sock(), 'model.test', ca, { method: 'POST', path: '/v1/messages?beta=true', headers: AUTHORIZED, body: sent });
    expect(got.body).toContain('"output_tokens":15');
    expect(got.body).toContain('Grüße');
    expect(place.door.asks[0]).toMatchObject({ path: '/v1/messages', model: { api: 'anthropic-messages', model: 'm-1', maxOutputTokens: 400, inputBytes: sent.length } });
    expect((await settled(1))[0]).toMatchObject({ how: 'ok', usage: { model: 'm-1', input: 25, cachedInput: 100, cacheWrite: 0, output: 15, said: true } });
  });

  test('of the chat kind is asked to say its cost, all else being as it was', async () => {
    const sent = ` {"model":"m-1", "stream":true,"messages":[{"role":"user","content":"\\u00fc"}]}`;
    await https(sock(), 'model.test', ca, { method: 'POST', path: '/v1/chat/completions', headers: AUTHORIZED, body: sent });
    expect(place.world.find((line) => 'asked' in line)).toMatchObject({ body: ` {"stream_options":{"include_usage":true},${sent.slice(2)}` });
    expect((await settled(1))[0]).toMatchObject({ usage: { input: 20, cachedInput: 10, output: 9, said: true } });
  });

  test('that does not say its cost is charged the ceiling; one that refuses costs nothing', async () => {
    const silent = body({ max_tokens: 77, stream_options: { include_usage: false } });
    await https(sock(), 'model.test', ca, { method: 'POST', path: '/v1/chat/completions', headers: AUTHORIZED, body: silent });
    expect((await settled(1))[0]).toMatchObject({ usage: { input: silent.length, output: 77, said: false } });
    expect((await https(sock(), 'model.test', ca, { method: 'POST', path: '/v1/responses', headers: AUTHORIZED, body: body({}) })).status).toBe(401);
    expect(await settled(2)).toContainEqual(expect.objectContaining({ status: 401, usage: expect.objectContaining({ input: 0, output: 0, said: true }) }));
  });

  test('that is hung up on before its last word is charged what it may have said', async () => {
    const { socket } = await connectTo(sock(), 'model.test:443');
    const tls = await tlsOver(socket, 'model.test', { ca });
    const sent = body({ max_tokens: 400 });
    tls.write(`POST /v1/messages?slow HTTP/1.1\r\nHost: model.test\r\nAuthorization: Bearer ${PLACEHOLDER}\r\nContent-Length: ${sent.length}\r\n\r\n${sent}`);
    let text = '';
    tls.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until(() => text.includes('content_block'));
    tls.destroy();
    expect((await settled(1))[0]).toMatchObject({ how: 'failed', usage: { input: 25, cachedInput: 100, output: 400, said: false } });
  });

  test.each<[string, string, Record<string, string>]>([
    ['two models', '{"model":"cheap","model":"dear"}', {}],
    ['no JSON', 'model=m', {}],
    ['no model', '{}', {}],
    ['a compressed body', body({}), { 'Content-Encoding': 'gzip' }],
  ])('with %s in its question is not asked', async (_what, sent, headers) => {
    const got = await https(sock(), 'model.test', ca, { method: 'POST', path: '/v1/messages', headers: { ...AUTHORIZED, ...headers }, body: sent });
    expect([got.status, refusedBy(got)]).toEqual([403, 'model_body']);
    expect(place.door.asks).toEqual([]);
  });
});

describe('limits (F10)', () => {
  test('an answer that says it is too long is refused, one that does not is broken off', async () => {
    const got = await https(sock('other'), 'web.test', ca, { path: '/big?bytes=1001' });
    expect([got.status, refusedBy(got)]).toEqual([403, 'response_limit']);
    expect(await https(sock('other'), 'web.test', ca, { path: '/big?bytes=1000' })).toMatchObject({ status: 200 });
    await expect(https(sock('other'), 'web.test', ca, { path: '/never?bytes=400' })).rejects.toThrow();
    await until(() => place.world.some((line) => 'neverEnded' in line));
    expect((await settled(3)).map(({ how }) => how)).toEqual(['quota', 'ok', 'quota']);
  });

  test('an answer without end is ended with its permit, and with a cut', async () => {
    place.door.judge = () => ({ forMs: 700 });
    await expect(https(sock(), 'web.test', ca, { path: '/never' })).rejects.toThrow();
    expect((await settled(1))[0]).toMatchObject({ how: 'deadline', status: 200 });
    place.door.judge = () => ({});
    const hanging = https(sock(), 'web.test', ca, { path: '/hang' });
    await until(() => place.world.some((line) => line['asked'] === '/hang'));
    place.door.cut(lastCall(), 'the operator said so');
    const got = await hanging;
    expect([got.status, refusedBy(got)]).toEqual([403, 'cut']);
    expect(got.body).toContain('the operator said so');
  });

  test('more bytes than were allowed do not go out', async () => {
    place.door.judge = () => ({ bytesUp: 100_000 });
    const got = await https(sock(), 'web.test', ca, { method: 'POST', path: '/count', body: Buffer.alloc(5_000_000) });
    expect(refusedBy(got)).toBe('quota');
    await until(() => place.world.some((line) => 'counted' in line));
    const counted = place.world.find((line) => 'counted' in line) as { readonly counted: number; readonly whole: boolean };
    expect(counted.counted).toBeLessThanOrEqual(100_000);
    expect(counted.whole).toBe(false);
    expect((await settled(1))[0]).toMatchObject({ how: 'quota' });
  });

  test('what is compressed is passed on and never unpacked', async () => {
    const got = await https(sock(), 'web.test', ca, { path: '/bomb' });
    expect([got.headers['content-encoding'], got.body.length]).toEqual(['gzip', 1000]);
  });

  test('headers that come slowly are refused after a while, and nobody else waits', async () => {
    const socket = connect(sock());
    socket.on('error', () => {});
    socket.write('GET http://web.test/ HT');
    const begun = Date.now();
    const closed = closing(socket);
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    expect((await https(sock(), 'web.test', ca)).status).toBe(200);
    await closed;
    expect(Date.now() - begun).toBeLessThan(20_000);
    expect(said).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('a tunnel in which nothing is said, and a body that stops, end by themselves', async () => {
    const idle = connectTo(sock(), 'other.test:443').then(({ socket }) => closing(socket.resume()));
    const slow = speak(sock(), 'POST http://web.test/count HTTP/1.1\r\nHost: web.test\r\nContent-Length: 100\r\n\r\nx', 40_000);
    await idle;
    expect(await slow).toMatch(/^HTTP\/1\.1 400 [\s\S]*no more of the body came/);
    expect((await settled(2)).map(({ how }) => how).toSorted()).toEqual(['failed', 'refused']);
  });

  test('1000 tunnels of one agent: 256 stand, the others are told, and another agent is served', async () => {
    const opened = await Promise.all(Array.from({ length: 1000 }, () => connectTo(sock('crowd'), 'other.test:443').catch(() => null)));
    const standing = opened.filter((got) => got?.status === 200);
    const told = opened.filter((got) => got !== null && got.status === 429);
    expect(standing.length).toBeGreaterThan(100);
    expect(standing.length).toBeLessThanOrEqual(256);
    expect(told.length).toBeGreaterThan(500);
    expect(refusedBy(told[0]!)).toBe('too_many');
    // On record: some, and a count of the rest.
    const recorded = await turnedAway('crowd');
    expect(recorded[0]).toEqual({ tell: 'refused', agent: 'crowd', rule: 'too_many', host: null, port: null, count: 1 });
    expect(recorded.length).toBeLessThan(30);
    const begun = Date.now();
    expect((await https(sock('other'), 'web.test', ca, { path: '/' })).status).toBe(200);
    expect(Date.now() - begun).toBeLessThan(1000);
    for (const got of opened) got?.socket.destroy();
    await settled(standing.length + 1);
    expect((await https(sock(), 'web.test', ca)).status).toBe(200);
  });
});

describe('who is served beside an agent that takes all it can (F10)', () => {
  /** Milliseconds of the 99th of a hundred, of 200 requests one after the other. */
  async function p99(): Promise<number> {
    const times: number[] = [];
    while (times.length < 200) {
      const begun = performance.now();
      expect((await http(sock('other'), 'http://web.test/')).status).toBe(200);
      times.push(performance.now() - begun);
    }
    return times.toSorted((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1]!;
  }
  /** Of three: what else this machine does is not what is measured. */
  const best = async (): Promise<number> => Math.min(await p99(), await p99(), await p99());

  test('gets each answer, and never waits long, while it asks for 10 000 tunnels and holds idle ones, slow requests and endless answers', async () => {
    await p99();
    const quiet = await best();
    const held: { readonly destroy: () => void }[] = [];
    const flood = spawn(process.execPath, [FLOOD, sock(), 'other.test:443', '10000', '100'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let over = false;
    const answered = once(flood.stdout, 'data').then(([line]) => {
      over = true;
      return JSON.parse(String(line)) as Flooded;
    });
    let flooded = await p99();
    for (let more = flooded; !over; more = await p99()) flooded = Math.min(flooded, more);
    const { told, held: tunnels } = await answered;
    for (let n = 0; n < 20; n += 1) {
      // A header that never ends, a body of one byte now and then, an answer without end.
      for (const text of ['GET http://web.test/ HTTP/1.1\r\nX-', 'POST http://web.test/count HTTP/1.1\r\nHost: web.test\r\nContent-Length: 100000\r\n\r\n', 'GET http://web.test/never?bytes=1 HTTP/1.1\r\nHost: web.test\r\n\r\n']) {
        const socket = connect(sock('walled'));
        socket.on('error', () => {});
        socket.resume().write(text);
        held.push(socket);
        if (text.startsWith('POST')) {
          const more = setInterval(() => socket.write('x'), 500);
          socket.once('close', () => clearInterval(more));
        }
      }
    }
    const loaded = await best();
    for (const one of held) one.destroy();
    flood.kill('SIGKILL');
    console.log(`p99 of another agent: ${quiet.toFixed(1)} ms, ${flooded.toFixed(1)} ms while 10 000 tunnels are asked for (${told} refused), ${loaded.toFixed(1)} ms while ${held.length + tunnels} things are held`);
    expect(told).toBeGreaterThan(5_000);
    // How many times as long is a figure, and what is printed; that it is no hang is what holds on any machine.
    for (const took of [loaded, flooded]) expect(took).toBeLessThan(2_000);
    await until(() => place.door.open() === 0);
  }, 120_000);
});

describe('an upgrade', () => {
  const UPGRADE = 'GET /chat HTTP/1.1\r\nHost: ws.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n';
  test('to a websocket passes where it is granted, and only there', async () => {
    const { socket } = await connectTo(sock(), 'ws.test:443');
    const tls = await tlsOver(socket, 'ws.test', { ca });
    let text = '';
    tls.on('data', (chunk: Buffer) => (text += chunk.toString()));
    tls.write(UPGRADE);
    await until(() => text.includes('welcome'));
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    tls.write('ping');
    await until(() => text.endsWith('welcomeping'));
    expect(place.door.asks[0]).toMatchObject({ path: '/chat', upgrade: 'websocket' });
    tls.end();
    // The end of what a test before this asked last may come in between.
    await until(() => place.door.ends.some(({ status }) => status === 101));
    expect(place.door.ends.find(({ status }) => status === 101)).toMatchObject({ how: 'ok', status: 101 });

    const second = await connectTo(sock(), 'web.test:443');
    const refused = await tlsOver(second.socket, 'web.test', { ca });
    let said = '';
    refused.on('data', (chunk: Buffer) => (said += chunk.toString()));
    refused.write(UPGRADE.replace('ws.test', 'web.test'));
    await until(() => said.includes('"rule"'));
    expect(said).toContain('"rule":"upgrade"');
    refused.destroy();
  });

  test('to h2 is not offered: a program that knows nothing else learns it in the handshake', async () => {
    const both = await connectTo(sock(), 'web.test:443');
    expect((await tlsOver(both.socket, 'web.test', { ca, alpn: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1');
    both.socket.destroy();
    const only = await connectTo(sock(), 'web.test:443');
    await expect(tlsOver(only.socket, 'web.test', { ca, alpn: ['h2'] })).rejects.toThrow();
  });
});

describe('the sockets of agents', () => {
  test('are there for who has a network, and follow the declarations', async () => {
    expect(statSync(sock()).isSocket()).toBe(true);
    expect(() => statSync(sock('offline'))).toThrow();
    const { socket } = await connectTo(sock('other'), 'web.test:443');
    const closed = closing(socket);
    place.declare([coder, agentWithNet('offline', 30_102, [rule('web.test')])]);
    await closed;
    await listening(sock('offline'));
    expect((await https(sock('offline'), 'web.test', ca)).status).toBe(200);
    expect(place.door.asks.at(-1)).toMatchObject({ agent: 'offline' });
    await expect(https(sock('other'), 'web.test', ca)).rejects.toThrow();
    place.declare([coder, other, offline]);
    await listening(sock('other'));
  });
});

describe('net.fetch', () => {
  const ask: Pick<NetAsk, 'agent' | 'host' | 'port' | 'secrets'> = { agent: 'coder' as AgentName, host: 'model.test', port: 443, secrets: ['KEY'] };
  async function fetched(permit: ReturnType<typeof permitFor>, request: object, receipt?: unknown): Promise<{ readonly ok: boolean; readonly status?: number; readonly body?: string; readonly refusal?: { readonly rule: string; readonly message: string } }> {
    const line = { permit, receipt: receipt ?? (await recordedPermit(place.ledger(), permit)), request: { method: 'GET', scheme: 'https', host: permit.host, port: permit.port, path: '/', headers: [], body: null, ...request } };
    return JSON.parse(await speak(place.paths.egressFetchSocket, `${JSON.stringify(line)}\n`, 20_000)) as never;
  }

  test('makes one judged request with its secret, and answers in one line', async () => {
    const got = await fetched(permitFor(ask), { method: 'POST', path: '/key-back?a=b', headers: [['Authorization', `Bearer ${PLACEHOLDER}`]], body: Buffer.from('hello').toString('base64') });
    expect(got).toMatchObject({ ok: true, status: 200, truncated: false });
    expect(Buffer.from(got.body!, 'base64').toString()).toContain('[secret KEY removed]');
    expect(place.world.find((line) => 'asked' in line)).toMatchObject({ asked: '/key-back?a=b', body: 'hello' });
  });

  test('makes none that is not on record, twice, late, for another place, or to the inside', async () => {
    const permit = permitFor(ask);
    const receipt = await recordedPermit(place.ledger(), permit);
    expect(await fetched(permit, {}, receipt)).toMatchObject({ ok: true });
    expect(await fetched(permit, {}, receipt)).toMatchObject({ ok: false, refusal: { message: expect.stringContaining('has been used') } });
    expect(await fetched({ ...permit, host: 'web.test' }, {}, receipt)).toMatchObject({ ok: false, refusal: { message: expect.stringContaining('another permit') } });
    expect(await fetched(permitFor({ ...ask, secrets: [] }), { host: 'web.test' })).toMatchObject({ ok: false, refusal: { message: expect.stringContaining('another place') } });
    expect(await fetched(permitFor({ ...ask, host: 'web.test', port: 80, secrets: [] }), { scheme: 'http' })).toMatchObject({ ok: true, status: 200 });
    const late = permitFor(ask, 1);
    expect(await fetched(late, {})).toMatchObject({ ok: false, refusal: { message: expect.stringContaining('is over') } });
    expect(await fetched(permitFor({ ...ask, host: '127.0.0.1', secrets: [] }), {})).toMatchObject({ ok: false });
    expect(await fetched(permitFor({ ...ask, host: 'mixed.test', secrets: [] }), {})).toMatchObject({ ok: false, refusal: { rule: 'internal_address' } });
    expect(await fetched(permitFor({ ...ask, secrets: [] }), { headers: [['Authorization', `Bearer ${PLACEHOLDER}`]] })).toMatchObject({ ok: false, refusal: { rule: 'placeholder' } });
    expect(internalReached()).toBe(false);
  });
});

describe('holdfast-egress itself', () => {
  test('killed and started again has the same authority, its sockets, and its doors', async () => {
    const { socket } = await connectTo(sock(), 'other.test:443');
    const closed = closing(socket);
    const died = once(place.egress(), 'exit');
    place.egress().kill('SIGKILL');
    await Promise.all([died, closed]);
    await place.startEgress();
    expect(readFileSync(`${place.paths.egressTrust}/ca.pem`, 'utf8')).toBe(ca);
    expect((await https(sock(), 'web.test', ca)).status).toBe(200);
    expect((await https(sock(), 'model.test', ca, { path: '/echo', headers: AUTHORIZED })).status).toBe(200);
  });

  test('stopped in order tells how its ways ended', async () => {
    const { socket } = await connectTo(sock(), 'other.test:443');
    await tlsOver(socket, 'other.test', { ca: worldCa });
    const hanging = https(sock(), 'web.test', ca, { path: '/hang' });
    await until(() => place.world.some((line) => line['asked'] === '/hang'));
    const stopped = once(place.egress(), 'exit');
    place.egress().kill('SIGTERM');
    expect(await stopped).toEqual([0, null]);
    expect(refusedBy(await hanging)).toBe('cut');
    expect((await settled(2)).map(({ how, why }) => [how, why])).toEqual([['cut', 'holdfast-egress is stopping'], ['cut', 'holdfast-egress is stopping']]);
    await place.startEgress();
  });

  test('publishes what programs trust, and keeps its key to itself', () => {
    const bundle = readFileSync(`${place.paths.egressTrust}/ca-bundle.pem`, 'utf8');
    expect(bundle.split('BEGIN CERTIFICATE').length).toBeGreaterThan(100);
    expect(bundle.endsWith(ca)).toBe(true);
    expect(`${bundle}${ca}`).not.toContain('PRIVATE');
    expect(statSync(place.paths.egressAuthority).mode & 0o077).toBe(0);
  });
});
