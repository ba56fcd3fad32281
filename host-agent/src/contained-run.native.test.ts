// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildNative } from '../native/build-once.ts';
import { pathsUnder } from './effects/paths.ts';
import type { Entry } from './ledger/entry.ts';
import { startBus } from './testdata/message-bus.ts';
import { startSystemdUnits, type SystemdUnits } from './testdata/systemd-units.ts';

// The real ledger, holdfastd, runner, launcher and file tool; behind systemd's name there answers a set of units, and the program of the
// contained agent is a script that runs as its user while its unit starts. Needs root, to become users.

const MAIN = join(import.meta.dirname, 'main.ts');
const [AGENT, OPERATOR] = [30_400, 30_200];
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
const GROUP = `${UNIFIED}/holdfast-contained-${process.pid}`;
const root = mkdtempSync('/tmp/holdfast-contained-');
const paths = pathsUnder(root);
const bus = join(root, 'run/dbus/system_bus_socket');
const workspace = join(paths.workspaces, 'demo');
const points = join(paths.restorePoints, 'demo');
const unit = 'holdfast-agent@demo.service';
const children = new Set<ChildProcess>();
let systemd: SystemdUnits;
let program = ':';

const demo = {
  name: 'demo', pack: 'main', id: 'agent.main.demo.v1', type: 'dev', mode: 'contained', uid: AGENT, program: ['/usr/bin/true'], start: 'manual', capabilities: ['fs:write:/workspace/**'],
  ceiling: { allow: ['fs:write:/workspace/**'], deny: [] }, limits: { timeoutMs: 60_000, memoryMax: 256 * 1024 ** 2, tasksMax: 64, outputMax: 65_536 },
  workspace, peers: { agent: '/agents', remote: '/ssh' }, peerLabels: { agent: 'unconfined', remote: 'unconfined' }, callLabel: 'unconfined', net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
};

function keep(child: ChildProcess): ChildProcess {
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

function asAgent(group: string, words: readonly string[]): ChildProcess {
  const script = `echo $$ > ${group}/cgroup.procs; exec setpriv --reuid ${AGENT} --regid ${AGENT} --clear-groups --bounding-set=-all --no-new-privs "$0" "$@"`;
  return spawn('/bin/sh', ['-c', script, ...words], { stdio: 'ignore', env: { PATH: '/usr/bin:/bin' } });
}

function start(role: string): ChildProcess {
  return keep(spawn(process.execPath, [MAIN, role, '--root', root], { stdio: 'ignore', env: { PATH: '/usr/bin:/bin' } }));
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 800; turn += 1) {
    if (holds()) return;
    await sleep(25);
  }
  throw new Error(`${what} did not come`);
}

function holdfast(...words: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const child = spawn('setpriv', ['--reuid', `${OPERATOR}`, '--regid', `${OPERATOR}`, '--clear-groups', process.execPath, MAIN, 'holdfast', '--root', root, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin' },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code: code ?? -1, out, err })));
}

async function newest(kind: string): Promise<Entry> {
  const { out } = await holdfast('log', '--json', '--limit', '1', '--kind', kind);
  return JSON.parse(out) as Entry;
}

/** Kinds, modes, times of change, targets and contents. */
function picture(): string {
  const script = `find . -printf '%y %m %T@ %l %p\\n' | sort; find . -type f -exec sha256sum {} + | sort`;
  return spawnSync('/bin/sh', ['-c', script], { cwd: workspace, encoding: 'utf8' }).stdout;
}

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test starts processes as other users: run it as root');
  chmodSync(root, 0o755);
  cpSync(buildNative(), paths.programs, { recursive: true });
  const own = [workspace, points, join(paths.transfers, 'demo'), paths.runnerSockets, join(paths.runnerRuntime, 'demo')];
  for (const dir of [...own, paths.daemonRuntime, paths.ledgerState, paths.agentDoors, ...['etc', 'run/holdfast/declared', 'run/dbus'].map((name) => join(root, name))]) mkdirSync(dir, { recursive: true });
  for (const dir of own) chownSync(dir, AGENT, AGENT);
  mkdirSync(join(paths.agentDoors, 'demo'));
  writeFileSync(paths.declaredAgents, JSON.stringify({ agents: [demo], problems: [] }));
  writeFileSync(paths.declaredOperators, JSON.stringify({ operators: [{ name: 'anna', uid: OPERATOR, roles: ['admin'] }] }));
  writeFileSync(join(root, 'etc/passwd'), 'holdfast:x:0:0::/:/bin/false\n');
  // What Delegate=yes and DelegateSubgroup=main do.
  mkdirSync(join(GROUP, 'main'), { recursive: true });
  for (const dir of [GROUP, join(GROUP, 'main')]) {
    for (const file of ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) chownSync(join(dir, file), AGENT, AGENT);
  }
  keep(await startBus(bus, 'EXTERNAL'));
  systemd = await startSystemdUnits(bus, (name) => {
    if (name !== unit) return;
    const ran = spawnSync('setpriv', ['--reuid', `${AGENT}`, '--regid', `${AGENT}`, '--clear-groups', '/bin/sh', '-euc', program], { cwd: workspace, encoding: 'utf8' });
    if (ran.status !== 0) throw new Error(ran.stderr);
  });
  start('holdfast-ledger');
  await until('the ledger', () => existsSync(paths.ledgerQuerySocket) && existsSync(paths.receiptKey));
  chmodSync(paths.ledgerQuerySocket, 0o666);
  keep(asAgent(`${GROUP}/main`, [process.execPath, MAIN, 'holdfast-runner', '--root', root, '--agent', 'demo', '--cgroup', GROUP]));
  await until('the runner', () => existsSync(join(paths.runnerSockets, 'demo.sock')));
  start('holdfastd');
  await until('the operator socket', () => existsSync(paths.operatorSocket));
  chmodSync(paths.operatorSocket, 0o666);
  const made = `mkdir -p app/.git/hooks && cd app && printf 'one\\n' >a && head -c 200000 /dev/zero >big && ln -s a l && ln a twin && chmod 600 big && touch -d 2001-01-01 a .git`;
  expect(spawnSync('setpriv', ['--reuid', `${AGENT}`, '--regid', `${AGENT}`, '--clear-groups', '/bin/sh', '-euc', made], { cwd: workspace }).status).toBe(0);
});

afterAll(async () => {
  systemd.disconnect();
  const ends = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ends);
  rmSync(root, { recursive: true, force: true });
  for (const name of readdirSync(GROUP)) if (name.startsWith('call-')) rmdirSync(join(GROUP, name));
  rmdirSync(join(GROUP, 'main'));
  rmdirSync(GROUP);
});

test('what a contained agent did with its own hands is shown, taken back byte for byte, and put back again', async () => {
  const before = picture();
  program = `cd app; printf 'ONE\\n' >a; rm l; mv big large; chmod 644 large; mkdir -p new/deep; echo x >new/deep/f; printf '[core]\\n\\tfsmonitor = touch obeyed\\n' >.git/config`;
  expect(await holdfast('agent', 'start', 'demo')).toMatchObject({ code: 0, err: '' });
  const changed = picture();
  expect(changed).not.toBe(before);
  const started = await newest('agent.started');
  expect(started.data).toMatchObject({ agent: 'demo', session: expect.stringMatching(/^s-/), restore: [expect.stringMatching(/^p-/)] });
  expect((await holdfast('log', '--kind', 'agent.started')).out).toContain('started agent demo (undoable)');

  // Running, it would go on writing.
  expect(await holdfast('undo', 'demo')).toMatchObject({ code: 1, err: expect.stringContaining('holdfast agent stop demo') });
  expect(picture()).toBe(changed);
  expect(await holdfast('agent', 'stop', 'demo')).toMatchObject({ code: 0 });
  const shown = await holdfast('diff', 'demo');
  for (const line of [/- one\n/, /\+ ONE\n/, /removed {2}\/workspace\/app\/l /, /added {4}\/workspace\/app\/new\/deep\/f/, /added {4}\/workspace\/app\/\.git\/config/]) expect(shown.out).toMatch(line);

  expect(await holdfast('undo', 'demo')).toMatchObject({ code: 0 });
  expect(picture()).toBe(before);
  const { out } = await holdfast('log', '--json', '--limit', '2', '--tool', 'restore.undo');
  expect(await holdfast('undo', String((JSON.parse(out.split('\n')[0]!) as Entry).seq))).toMatchObject({ code: 0 });
  expect(picture()).toBe(changed);
});

test('the next run ends it: what came later is neither shown as its nor taken back with it', async () => {
  const first = await newest('agent.started');
  program = 'echo later >app/later';
  await holdfast('agent', 'start', 'demo');
  await holdfast('agent', 'stop', 'demo');
  expect((await holdfast('diff', 'demo', '--names')).out).toMatch(/^\/workspace: 1 change from p-\w+ to now\nadded {4}\/workspace\/app\/later/);
  const shown = (await holdfast('diff', String(first.seq), '--names')).out;
  expect(shown).toContain('/workspace/app/new/deep/f');
  expect(shown).not.toContain('later');
  expect(await holdfast('undo', String(first.seq), '/workspace/app/new')).toMatchObject({ code: 0 });
  expect(existsSync(join(workspace, 'app/later')) && !existsSync(join(workspace, 'app/new'))).toBe(true);
});

test('without its point the program does not run, and the list of agents says why', async () => {
  const before = picture();
  program = 'echo never >app/never';
  const asked = systemd.asked.length;
  chmodSync(join(points, 'points'), 0);
  try {
    const refused = await holdfast('agent', 'start', 'demo');
    expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/demo stays stopped: no restore point of its workspace could be made: EACCES/) });
    expect((await holdfast('agent', 'list')).out).toMatch(/demo was not started: no restore point of its workspace could be made: EACCES/);
  } finally {
    chmodSync(join(points, 'points'), 0o700);
  }
  expect([systemd.asked.length, picture()]).toEqual([asked, before]);
  expect(await holdfast('agent', 'start', 'demo')).toMatchObject({ code: 0 });
  expect((await holdfast('agent', 'list')).out).not.toContain('not started');
  expect(existsSync(join(workspace, 'app/never'))).toBe(true);
});
