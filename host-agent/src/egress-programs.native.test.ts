// SPDX-License-Identifier: Apache-2.0
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { refusal } from './egress/net-refusal.ts';
import { agentWithNet, openEgressPlace, rule, type EgressPlace } from './testdata/egress-place.ts';

// Programs that nobody changed for Holdfast, in a namespace that has a loopback alone, by way of a relay: they go by their environment.

const RELAY = join(import.meta.dirname, 'testdata/agent-programs.ts');
const coder = agentWithNet('coder', 30_100, [rule('web.test'), rule('wrong.test'), rule('unsigned.test')]);
let place: EgressPlace;
let relay: ChildProcess;
const has = (program: string): boolean => ['/usr/bin', '/usr/local/bin'].some((folder) => existsSync(`${folder}/${program}`));

beforeAll(async () => {
  place = await openEgressPlace([coder]);
  const command = `ip link set lo up; exec ${process.execPath} ${RELAY} 3128 ${place.socketOf('coder')}`;
  relay = spawn('unshare', ['-n', '/bin/bash', '-c', command], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(relay.stdout!, 'data');
});
afterAll(async () => {
  relay.kill('SIGKILL');
  await place.close();
});
beforeEach(() => {
  place.door.asks.length = 0;
  place.door.judge = (ask) => (ask.host === 'forbidden.test' ? refusal('not_declared', 'forbidden.test is not granted', 'net:connect:forbidden.test:443') : {});
});

type Ran = { readonly code: number; readonly out: string };

/** As holdfast-declare sets it for agents with a network (config/agent-environment.ts). */
function inAgent(command: readonly string[]): Promise<Ran> {
  const bundle = `${place.paths.egressTrust}/ca-bundle.pem`;
  const proxy = 'http://127.0.0.1:3128';
  const env = {
    PATH: process.env['PATH'], HOME: place.root, HTTPS_PROXY: proxy, HTTP_PROXY: proxy, https_proxy: proxy, http_proxy: proxy, NODE_USE_ENV_PROXY: '1', NODE_EXTRA_CA_CERTS: `${place.paths.egressTrust}/ca.pem`,
    SSL_CERT_FILE: bundle, CURL_CA_BUNDLE: bundle, GIT_SSL_CAINFO: bundle, GIT_TERMINAL_PROMPT: '0',
  };
  return new Promise((resolve) => {
    execFile('nsenter', ['-t', String(relay.pid), '-n', '--', ...command], { env, timeout: 40_000 }, (fault, stdout, stderr) =>
      resolve({ code: fault === null ? 0 : typeof fault.code === 'number' ? fault.code : 1, out: `${stdout}${stderr}` }),
    );
  });
}

const node = (script: string): readonly string[] => [process.execPath, '--input-type=module', '-e', script];
const python = (url: string): readonly string[] => ['python3', '-c', `import urllib.request,urllib.error,sys
try:
    print(urllib.request.urlopen(${JSON.stringify(url)}, timeout=30).read().decode())
except urllib.error.HTTPError as e:
    print(e.code, e.read().decode())
except Exception as e:
    print("failed", e)`];

const PROGRAMS: readonly [name: string, there: boolean, get: (url: string) => readonly string[]][] = [
  ['Node fetch', true, (url) => node(`try { const r = await fetch(${JSON.stringify(url)}); console.log(r.status, await r.text()); } catch (e) { console.log('failed', e.cause?.message ?? e.message); }`)],
  ['Python urllib', has('python3') || true, python],
  ['curl', has('curl'), (url) => ['curl', '-sS', '-w', '%{http_code} %{http_connect}', url]],
];

describe.each(PROGRAMS.filter(([, there]) => there))('%s', (_name, _there, get) => {
  test('reaches a host that is inspected, one that is not, and http', async () => {
    for (const url of ['https://web.test/', 'http://web.test/']) expect((await inAgent(get(url))).out).toContain('hello');
    expect(place.door.asks.map(({ what, port }) => [what, port])).toEqual([['request', 443], ['request', 80]]);
    // Nobody reads a tunnel, so the program itself must trust who an operator trusts.
    expect((await inAgent(get('https://other.test/'))).out).toContain('hello');
  });

  test('is told why where it may not', async () => {
    const refused = (await inAgent(get('http://forbidden.test/'))).out;
    expect(refused).toContain('403');
    expect(refused).toContain('net:connect:forbidden.test:443');
    expect((await inAgent(get('https://forbidden.test/'))).out).toMatch(/403|failed/i);
    expect((await inAgent(get('http://169.254.169.254/latest/meta-data'))).out).toContain('not public');
    expect((await inAgent(get('https://unsigned.test/'))).out).toContain('could not prove who it is');
  });

  test('has no other way: no name, no route', async () => {
    const out = (await inAgent(['env', '-u', 'HTTPS_PROXY', '-u', 'https_proxy', '-u', 'HTTP_PROXY', '-u', 'http_proxy', '-u', 'NODE_USE_ENV_PROXY', ...get('https://93.184.216.34/')])).out;
    expect(out).toMatch(/failed|unreachable|Couldn't connect|Could not|Failed to connect/i);
    expect(place.door.asks).toEqual([]);
  });
});

test.runIf(has('git'))('git is refused in words, and asks for what it may', async () => {
  const refused = await inAgent(['git', 'ls-remote', 'https://forbidden.test/a.git']);
  expect(refused.code).not.toBe(0);
  expect(refused.out).toContain('403');
  await inAgent(['git', 'ls-remote', 'https://web.test/a.git']);
  expect(place.door.asks.map(({ host, path }) => [host, path])).toContainEqual(['web.test', '/a.git/info/refs']);
  expect(execFileSync('git', ['--version'], { encoding: 'utf8' })).toContain('git version');
});
