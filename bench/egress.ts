// SPDX-License-Identifier: Apache-2.0
// What the one way out costs: a new connection against tinyproxy, bulk against a pipe in Node, and what inspecting adds to a request. All in
// one network namespace, with the real holdfast-egress and the real ledger; who judges is a double of holdfastd that allows everything.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { buildNative } from '../host-agent/native/build-once.ts';
import { agentWithNet, openEgressPlace, rule } from '../host-agent/src/testdata/egress-place.ts';
import { remark, report, type Figure } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 6);
const CLIENT = join(import.meta.dirname, 'egress-client.ts');
const TINYPROXY = ['/usr/bin/tinyproxy', '/usr/local/bin/tinyproxy'].find((path) => existsSync(path));

buildNative();
const place = await openEgressPlace([agentWithNet('coder', 30_100, [rule('web.test')])]);
const inWorld = (command: readonly string[]): readonly [string, string[]] => place.inWorld(command) as [string, string[]];
const samples = new Map<string, number[]>();

/** All of one way's runs in a process of its own; the first of each are left out. Who judges is in this process, and must not wait for it. */
async function measure(name: string, what: string, way: string, times: number, ca: string): Promise<void> {
  const [command, args] = inWorld([process.execPath, CLIENT, what, way, String(times + 2), ca]);
  const { stdout } = await promisify(execFile)(command, args, { encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  samples.set(name, [...(samples.get(name) ?? []), ...lines.slice(2).map(Number)]);
}

const startInWorld = (words: readonly string[]): ChildProcess => {
  const [command, args] = inWorld(words);
  return spawn(command, args, { stdio: 'ignore' });
};
const pipe = startInWorld([process.execPath, CLIENT, 'pipe', '', '0', place.paths.egressExtraRoots]);
const peer = TINYPROXY === undefined ? null : startTinyproxy(TINYPROXY);
try {
  await sleep(1000);
  const egress = `unix:${place.socketOf('coder')}`;
  const ours = `${place.paths.egressTrust}/ca.pem`;
  const worlds = place.paths.egressExtraRoots;
  for (let round = 0; round < ROUNDS; round += 1) {
    if (peer !== null) await measure('tinyproxy', 'handshake', 'tcp:8888', 10, worlds);
    await measure('handshake', 'handshake', egress, 10, worlds);
    await measure('connection', 'connection', egress, 10, worlds);
    await measure('direct connection', 'connection', 'direct', 10, worlds);
    await measure('pipe', 'bulk', 'pipe', 2, worlds);
    await measure('bulk', 'bulk', egress, 2, worlds);
    await measure('direct request', 'inspected', 'direct', 30, worlds);
    await measure('inspected', 'inspected', egress, 30, ours);
  }
  const of = (name: string): readonly number[] => samples.get(name)!;
  const figures: Figure[] = [
    ...(peer === null ? [] : [{ name: 'a new connection through a tunnel to the end of its handshake, judged and recorded', unit: 'us', samples: of('handshake'), floor: { name: 'the same through tinyproxy', samples: of('tinyproxy') }, goal: 1.5 }]),
    { name: 'a new connection and its first answer, judged and recorded', unit: 'us', samples: of('connection'), floor: { name: 'the same without a proxy', samples: of('direct connection') }, goal: null },
    { name: '64 MiB through a tunnel', unit: 'us', samples: of('bulk'), floor: { name: 'the same through a pipe in Node', samples: of('pipe') }, goal: 1.25 },
    { name: 'an inspected request on a connection that stands', unit: 'us', samples: of('inspected'), floor: { name: 'the same without a proxy', samples: of('direct request') }, goal: null },
  ];
  report(figures);
  remark('tinyproxy leaves TCP_NODELAY off, and a handshake over it on a loopback waits 40 ms for a delayed ACK: against it we look better than we are');
  remark('a new way has its intent on disk before a packet leaves; neither peer records anything');
  if (peer === null) remark('tinyproxy is not installed here: apt-get install tinyproxy-bin');
} finally {
  peer?.kill('SIGKILL');
  pipe.kill('SIGKILL');
  await place.close();
}
process.exit(0);

function startTinyproxy(program: string): ChildProcess {
  const file = join(place.root, 'tinyproxy.conf');
  writeFileSync(file, 'Port 8888\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nLogLevel Critical\nConnectPort 443\nConnectPort 8443\n');
  return startInWorld([program, '-d', '-c', file]);
}
