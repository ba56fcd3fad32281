// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pathsUnder } from './effects/paths.ts';
import type { Entry } from './ledger/entry.ts';
import { startBus } from './testdata/message-bus.ts';
import { startSystemdUnits, type SystemdUnits } from './testdata/systemd-units.ts';

// The real ledger, holdfastd and command line as processes, on a real bus; behind systemd's name there answers a set of units that run.
// The operator is a user of its own, so this needs root.

const MAIN = join(import.meta.dirname, 'main.ts');
const OPERATOR = 30_200;
const root = mkdtempSync('/tmp/holdfast-restart-');
const paths = pathsUnder(root);
const children = new Set<ChildProcess>();
let systemd: SystemdUnits;
let daemon: ChildProcess;

const agent = (name: string, uid: number): object => ({
  name, pack: 'main', id: `agent.main.${name}.v1`, type: 'task', mode: 'mediated', uid, program: ['/usr/bin/true'], start: 'boot', capabilities: [],
  ceiling: { allow: ['process:list'], deny: [] }, limits: { timeoutMs: 60_000, memoryMax: 256 * 1024 ** 2, tasksMax: 64, outputMax: 65_536 },
  workspace: paths.workspaces, peers: { agent: '/agents', remote: '/ssh' }, peerLabels: { agent: 'unconfined', remote: 'unconfined' }, callLabel: 'unconfined', net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
});

function declare(...agents: readonly object[]): void {
  writeFileSync(paths.declaredAgents, JSON.stringify({ agents, problems: [] }));
}

function start(role: string): ChildProcess {
  const child = spawn(process.execPath, [MAIN, role, '--root', root], { stdio: 'ignore', env: { PATH: '/usr/bin:/bin' } });
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

async function startDaemon(): Promise<void> {
  rmSync(paths.operatorSocket, { force: true });
  daemon = start('holdfastd');
  await until('the operator socket', () => existsSync(paths.operatorSocket));
  chmodSync(paths.operatorSocket, 0o666);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) {
    if (await holds()) return;
    await sleep(25);
  }
  throw new Error(`${what} did not come`);
}

async function holdfast(...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn('setpriv', ['--reuid', `${OPERATOR}`, '--regid', `${OPERATOR}`, '--clear-groups', process.execPath, MAIN, 'holdfast', '--root', root, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin' },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number>((resolve) => child.on('close', (c) => resolve(c ?? -1)));
  return { code, out, err };
}

async function entries(kind: string): Promise<readonly string[]> {
  const shown = await holdfast('log', '--json', '--limit', '10000', '--kind', kind);
  const all = shown.out.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Entry);
  return all.map(({ actor, data }) => `${data['agent'] as string} by ${actor.id}`);
}

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test starts processes as other users: run it as root');
  chmodSync(root, 0o755);
  for (const dir of [paths.daemonRuntime, paths.runnerSockets, paths.ledgerState, paths.agentDoors, join(root, 'run/holdfast/declared'), join(root, 'run/dbus'), join(root, 'var')]) mkdirSync(dir, { recursive: true });
  declare(agent('demo', 30_100));
  writeFileSync(paths.declaredOperators, JSON.stringify({ operators: [{ name: 'anna', uid: OPERATOR, roles: ['admin'] }] }));
  children.add(await startBus(`${root}/run/dbus/system_bus_socket`, 'EXTERNAL'));
  systemd = await startSystemdUnits(`${root}/run/dbus/system_bus_socket`);
  start('holdfast-ledger');
  await until('the ledger', () => existsSync(paths.ledgerQuerySocket));
  chmodSync(paths.ledgerQuerySocket, 0o666);
  await startDaemon();
});

afterAll(async () => {
  systemd.disconnect();
  const ends = [...children].filter((child) => child.exitCode === null && child.signalCode === null).map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ends);
  rmSync(root, { recursive: true, force: true });
});

test('an agent that was stopped stays stopped over kill -9 of holdfastd; one declared meanwhile starts with the next', async () => {
  await until('the start', () => systemd.running.has('holdfast-agent@demo.service'));
  expect(await holdfast('agent', 'stop', 'demo')).toMatchObject({ code: 0, err: '' });
  expect(systemd.asked).toEqual(['StartUnit holdfast-agent@demo.service', 'StopUnit holdfast-agent@demo.service']);
  daemon.kill('SIGKILL');
  await until('its end', () => daemon.signalCode !== null);
  declare(agent('demo', 30_100), agent('late', 30_101));
  await startDaemon();
  // The control: it did look for what is to start at boot, and came past demo.
  await until('the start of the other', () => systemd.running.has('holdfast-agent@late.service'));
  expect(systemd.asked.slice(2)).toEqual(['StartUnit holdfast-agent@late.service']);
  expect(await holdfast('agent', 'start', 'demo')).toMatchObject({ code: 0, err: '' });
});

test('a bad agent file is refused by its line before holdfast-declare is asked, or anything is written', async () => {
  const image = join(root, 'usr/lib/holdfast');
  const types = new URL('../../rootfs-overlay/usr/lib/holdfast/types/', import.meta.url);
  for (const dir of [join(image, 'agents.d'), paths.types, paths.operatorAgentLayer]) mkdirSync(dir, { recursive: true, mode: 0o755 });
  for (const name of readdirSync(types)) writeFileSync(join(paths.types, name), readFileSync(new URL(name, types)), { mode: 0o644 });
  for (const name of ['demo', 'late']) writeFileSync(join(image, 'agents.d', `${name}.yaml`), `name: ${name}\ntype: task\n`, { mode: 0o644 });
  const file = join(root, 'file.yaml');
  const add = (text: string): ReturnType<typeof holdfast> => {
    writeFileSync(file, text, { mode: 0o644 });
    return holdfast('agent', 'add', file, '--replace');
  };
  const before = systemd.asked.length;
  const bad = await add('name: demo\ntype: task\ncapabilities:\n  - fs:write:/etc/**\n');
  expect([bad.code, systemd.asked.slice(before)]).toEqual([1, []]);
  expect(bad.err).toContain('the file of demo is refused, and nothing is changed: line 4: cannot hold fs:write:/etc/**');
  expect(readdirSync(paths.operatorAgentLayer)).toEqual([]);
  // The control: a good file comes as far as holdfast-declare, which here is asked and says nothing.
  expect((await add('name: third\ntype: task\n')).err).toContain('holdfast-declare says nothing about third');
  expect(systemd.asked.slice(before)).toContain('StartUnit holdfast-declare.service');
  expect((await entries('configuration.changed')).some((entry) => entry === 'third by anna')).toBe(true);
});

test('told to stop, holdfastd records the end of an agent that stopped before it, though no word of it came (R100)', async () => {
  expect(await entries('agent.stopped')).toEqual(['demo by anna']);
  systemd.running.clear();
  daemon.kill('SIGTERM');
  await until('its end', () => daemon.exitCode !== null);
  expect(daemon.exitCode).toBe(0);
  expect((await entries('agent.stopped')).toSorted()).toEqual(['demo by anna', 'demo by holdfastd', 'late by holdfastd']);
});
