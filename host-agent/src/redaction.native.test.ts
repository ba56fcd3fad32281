// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeclaredAgent } from './config/declared.ts';
import { pathsUnder } from './effects/paths.ts';
import type { Entry } from './ledger/entry.ts';

// The real ledger, holdfastd and command line as processes, and one that redacts as holdfast-secretd does. The agent and the operator are users of their own, so this needs root,
// and a control group for the agent's client, because the door asks for both.

const MAIN = join(import.meta.dirname, 'main.ts');
const AGENT = 30_100;
const OPERATOR = 30_200;
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
const GROUP = `/holdfast-redacted-test-${process.pid}`;

const root = mkdtempSync('/tmp/holdfast-redacted-');
const paths = pathsUnder(root);
const children = new Set<ChildProcess>();

const demo = {
  name: 'demo',
  pack: 'main',
  id: 'agent.main.demo.v1',
  type: 'task',
  mode: 'mediated',
  uid: AGENT,
  program: null,
  start: 'manual',
  capabilities: ['process:list'],
  ceiling: { allow: ['process:list', 'host:metrics', 'service:status:*'], deny: [] },
  limits: { timeoutMs: 60_000, memoryMax: 256 * 1024 ** 2, tasksMax: 64, outputMax: 65_536 },
  workspace: paths.workspaces,
  peers: { agent: `${GROUP}/agents/demo/holdfast-agent@demo.service`, remote: GROUP },
  peerLabels: { agent: 'unconfined', remote: 'unconfined' },
  callLabel: 'unconfined',
  net: null,
  secrets: [],
  budget: { costPerDay: null, tokensPerHour: null },
} as unknown as DeclaredAgent;

function declare(agents: readonly DeclaredAgent[]): void {
  writeFileSync(paths.declaredAgents, JSON.stringify({ agents, problems: [] }));
}

function start(role: string): ChildProcess {
  const child = spawn(process.execPath, [MAIN, role, '--root', root], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: '/usr/bin:/bin' } });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (process.env['SHOW'] !== undefined) process.stderr.write(text);
  });
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

async function startDaemon(): Promise<void> {
  rmSync(paths.operatorSocket, { force: true });
  start('holdfastd');
  await until('the operator socket', () => existsSync(paths.operatorSocket));
  // As the socket unit does: its group is the operators'.
  chmodSync(paths.operatorSocket, 0o666);
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) {
    if (await holds()) return;
    await sleep(25);
  }
  throw new Error(`${what} did not come`);
}

/** A program as another user, in the agent's control group or in none of its. */
function as(uid: number, group: string | null, words: readonly string[]): readonly [string, readonly string[]] {
  const enter = group === null ? '' : `echo $$ > ${UNIFIED}${group}/cgroup.procs; `;
  const script = `${enter}exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$0" "$@"`;
  return ['/bin/sh', ['-c', script, process.execPath, MAIN, 'holdfast', '--root', root, ...words]];
}

async function holdfast(uid: number, ...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const [command, args] = as(uid, null, words);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin' } });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number>((resolve) => child.on('close', (c) => resolve(c ?? -1)));
  return { code, out, err };
}

const SECRET = 'sk-proj-0123456789+/abcdefghij';
const MARK = '[secret KEY removed]';

/** What holdfast-secretd does with the socket, in a process that can be killed. */
async function startRedacting(): Promise<ChildProcess> {
  const role = join(root, 'redacting.ts');
  const from = (file: string): string => JSON.stringify(join(import.meta.dirname, file));
  writeFileSync(role, `
    import { listenOn } from ${from('effects/listen.ts')};
    import { serveRedactions } from ${from('effects/redact-server.ts')};
    import { redactor } from ${from('secret/redaction.ts')};
    const known = redactor([{ name: 'KEY', value: Buffer.from(${JSON.stringify(SECRET)}) }]);
    const server = await listenOn('redact', ${JSON.stringify(paths.secretRedactSocket)});
    serveRedactions(server, { redactor: () => known, mayAsk: (uid) => uid === process.getuid(), onRefused: (facts) => console.error(facts) });
    console.log('ready');
  `);
  const child = spawn(process.execPath, [role], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  child.on('exit', () => children.delete(child));
  await once(child.stdout, 'data');
  return child;
}

function publish(state: string): void {
  mkdirSync(dirname(paths.secretBindings), { recursive: true });
  writeFileSync(paths.secretBindings, JSON.stringify({ v: 1, state, bindings: [] }));
}

async function entries(...words: readonly string[]): Promise<readonly Entry[]> {
  const shown = await holdfast(OPERATOR, 'log', '--json', '--limit', '10000', ...words);
  expect(shown.err).toBe('');
  return shown.out.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Entry);
}

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test starts processes as other users: run it as root');
  chmodSync(root, 0o755);
  for (const dir of [paths.daemonRuntime, paths.runnerSockets, paths.ledgerState, join(root, 'run/holdfast/declared'), join(root, 'var')]) mkdirSync(dir, { recursive: true });
  const door = join(paths.agentDoors, 'demo');
  mkdirSync(door, { recursive: true });
  chownSync(door, 0, AGENT);
  chmodSync(door, 0o2750);
  mkdirSync(`${UNIFIED}${GROUP}/login`, { recursive: true });
  declare([demo]);
  writeFileSync(paths.declaredOperators, JSON.stringify({ operators: [{ name: 'anna', uid: OPERATOR, roles: ['admin'] }] }));
  writeFileSync(paths.seedResult, JSON.stringify({ state: 'claimed', digest: 'a'.repeat(64), offered: 'a'.repeat(64), problems: [] }));
  start('holdfast-ledger');
  await until('the ledger', () => existsSync(paths.ledgerQuerySocket));
  chmodSync(paths.ledgerQuerySocket, 0o666);
  await startDaemon();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await until('the end of all processes', () => children.size === 0);
  rmSync(root, { recursive: true, force: true });
  await until('the end of the control group', () => {
    try {
      rmdirSync(`${UNIFIED}${GROUP}/login`);
      rmdirSync(`${UNIFIED}${GROUP}`);
      return true;
    } catch {
      return false;
    }
  });
});

test('what an agent says and gets holds no secret once a store is open; without the one who knows, it is withheld and still recorded', async () => {
  const [command, args] = as(AGENT, `${GROUP}/login`, ['mcp']);
  const client = new Client({ name: 'test-client', version: '1' });
  await client.connect(new StdioClientTransport({ command, args: [...args], env: { PATH: '/usr/bin:/bin' }, stderr: 'inherit' }));
  const ask = (unit: string, reason: string) => client.callTool({ name: 'authority.request', arguments: { capability: `service:status:${unit}`, for: '10m', reason } });
  const status = (unit: string) => client.callTool({ name: 'service.status', arguments: { unit } });
  const reasons = async () => (await entries('--kind', 'grant.requested')).map(({ data }) => data['reason']);

  // The positive control: nobody has a store, so nothing is looked for, and nobody is asked.
  publish('locked');
  expect((await ask('a.service', `with ${SECRET} in it`)).isError).not.toBe(true);
  expect(await reasons()).toEqual([`with ${SECRET} in it`]);

  publish('open');
  const redacting = await startRedacting();
  const encoded = Buffer.from(`coder:${SECRET}`).toString('base64');
  expect((await ask('b.service', `with ${SECRET} and ${encoded} in it`)).isError).not.toBe(true);
  expect((await reasons())[1]).toMatch(/^with \[secret KEY removed\] and \S+\[secret KEY removed\] in it$/);
  const refused = await status(`${SECRET.replaceAll('/', '').replaceAll('+', '')}.service`);
  expect(refused.isError, 'near misses stay').toBe(true);
  const control = await client.callTool({ name: 'process.list', arguments: {} });
  expect(control.isError, JSON.stringify(control).slice(0, 500)).not.toBe(true);

  redacting.kill('SIGKILL');
  await once(redacting, 'exit');
  const withheld = await client.callTool({ name: 'process.list', arguments: {} });
  expect(withheld).toMatchObject({ isError: true, structuredContent: { failed: 'withheld' } });
  expect(JSON.stringify(withheld)).toMatch(/holdfast-secretd.*does not answer/);
  expect((await ask('c.service', `with ${SECRET} in it`)).isError).toBe(true);
  expect((await reasons())[2]).toMatch(/^\[not looked through: 41 bytes, sha256 [0-9a-f]{64}\]$/);
  // Locked again, as after its crash: who had a secret before still has it.
  publish('locked');
  expect((await client.callTool({ name: 'process.list', arguments: {} })).structuredContent).toMatchObject({ failed: 'withheld' });

  await startRedacting();
  await until('an answer', async () => (await client.callTool({ name: 'process.list', arguments: {} })).isError !== true);
  expect((await ask('d.service', `with ${SECRET} in it`)).isError).not.toBe(true);
  expect((await reasons())[3]).toBe(`with ${MARK} in it`);
  await client.close();

  const all = await entries();
  const calls = (kind: string): number => all.filter((entry) => entry.kind === kind).length;
  expect(calls('call.outcome'), 'no entry is lost').toBe(calls('call.intent'));
  expect(JSON.stringify(all.slice(all.findIndex(({ kind }) => kind === 'grant.requested') + 2))).not.toContain('sk-proj-0123456789+');
  expect(await holdfast(OPERATOR, 'verify')).toMatchObject({ code: 0 });
});
