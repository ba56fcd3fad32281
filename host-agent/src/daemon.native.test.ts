// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeclaredAgent } from './config/declared.ts';
import { pathsUnder } from './effects/paths.ts';
import type { Entry } from './ledger/entry.ts';
import { VERSION } from './version.ts';

// The real ledger, holdfastd and command line as processes. The agent and the operator are users of their own, so this needs root,
// and a control group for the agent's client, because the door asks for both.

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 5);
const MAIN = join(import.meta.dirname, 'main.ts');
const AGENT = 30_100;
const OPERATOR = 30_200;
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
const GROUP = `/holdfast-test-${process.pid}`;

const root = mkdtempSync('/tmp/holdfast-daemon-');
const paths = pathsUnder(root);
const children = new Set<ChildProcess>();
let daemon: ChildProcess;

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
  daemon = start('holdfastd');
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

test('an MCP client is refused, is granted what it asked for, succeeds, and all of it is on record', async () => {
  const [command, args] = as(AGENT, `${GROUP}/login`, ['mcp']);
  const client = new Client({ name: 'test-client', version: '1' });
  await client.connect(new StdioClientTransport({ command, args: [...args], env: { PATH: '/usr/bin:/bin' }, stderr: 'inherit' }));
  const call = (name: string, given: Record<string, unknown>) => client.callTool({ name, arguments: given });

  expect(client.getServerVersion()).toEqual({ name: 'holdfast', version: VERSION });
  let changes = 0;
  client.setNotificationHandler('notifications/tools/list_changed', () => void (changes += 1));
  const metrics = async () => (await client.listTools(undefined, { cacheMode: 'bypass' })).tools.find((tool) => tool.name === 'host.metrics')?.description;
  expect(await metrics()).toContain('You hold nothing for this tool now');
  // The control: what it holds from the start works.
  expect((await call('process.list', {})).isError).not.toBe(true);
  const refused = await call('host.metrics', {});
  expect(refused.isError).toBe(true);
  expect(refused.structuredContent).toMatchObject({ refused: 'denied', missing: ['host:metrics'], may_ask: ['host:metrics'] });

  const asked = await call('authority.request', { capability: 'host:metrics', for: '10m', reason: 'to see \u202e how it is' });
  expect(asked.isError, JSON.stringify(asked)).not.toBe(true);
  const waiting = await holdfast(OPERATOR, 'requests', '--json');
  const [request] = waiting.out.split('\n').map((line) => (line === '' ? null : JSON.parse(line) as { agent: string; capability: string }));
  expect(request).toMatchObject({ agent: 'demo', capability: 'host:metrics' });
  expect((await holdfast(OPERATOR, 'requests')).out).toContain('to see \\u{202e} how it is');

  const wide = await holdfast(OPERATOR, 'grant', 'demo', 'fs:read:/etc/shadow', '--for', '10m', '--reason', 'too much');
  expect(wide).toMatchObject({ code: 1, out: '' });
  expect(wide.err).toContain("it is not inside the type's ceiling");

  const granted = await holdfast(OPERATOR, 'grant', 'demo', 'host:metrics', '--for', '10m', '--reason', 'ticket 1', '--json');
  expect(granted).toMatchObject({ code: 0, err: '' });
  const { id } = JSON.parse(granted.out) as { id: string };
  expect((await holdfast(OPERATOR, 'requests')).out).toBe('nobody asks for anything\n');
  await until('word of the change', () => changes === 1);
  expect(await metrics()).not.toContain('You hold nothing');
  const done = await call('host.metrics', {});
  expect(done.isError, JSON.stringify(done)).not.toBe(true);
  expect(done.structuredContent).toMatchObject({ cpus: expect.any(Number) });

  // A16: from the answer on, nothing that starts has it.
  expect(await holdfast(OPERATOR, 'revoke', id)).toMatchObject({ code: 0, err: '' });
  expect((await call('host.metrics', {})).structuredContent).toMatchObject({ refused: 'denied' });
  expect(changes).toBe(2);
  await client.close();

  await until('the end of the session on record', async () => (await entries('--kind', 'session.closed')).length === 1);
  const all = await entries('--agent', 'demo');
  expect(all.map((entry) => entry.kind).filter((kind) => kind !== 'configuration.changed')).toEqual([
    'session.opened', 'call.intent', 'call.outcome', 'call.refused', 'call.intent', 'grant.requested', 'call.outcome', 'grant.refused', 'grant.given',
    'call.intent', 'call.outcome', 'grant.ended', 'call.refused', 'session.closed',
  ]);
  expect(all.find((entry) => entry.kind === 'grant.given')).toMatchObject({ actor: { type: 'user', id: 'anna' }, data: { granted_by: 'anna', for_ms: 600_000, reason: 'ticket 1' } });
  expect(all.find((entry) => entry.kind === 'session.opened')?.data).toMatchObject({ id: 'agent.main.demo.v1', via: 'remote', client: { name: 'test-client' } });
  expect((await entries('--kind', 'seed.claimed')).length).toBe(1);
  const verified = await holdfast(OPERATOR, 'verify');
  expect(verified).toMatchObject({ code: 0, err: '' });
  expect(verified.out).toMatch(/^good: \d+ entries, 1 to \d+; head \d+ [0-9a-f]{64}\n$/);

  // The saved log is checked without the machine, and one changed byte is found.
  const saved = join(root, 'saved.jsonl');
  const text = (await holdfast(OPERATOR, 'log', '--json', '--limit', '10000')).out;
  writeFileSync(saved, text);
  chmodSync(saved, 0o644);
  expect((await holdfast(OPERATOR, 'verify', '--file', saved)).code).toBe(0);
  writeFileSync(saved, text.replace('ticket 1', 'ticket 2'));
  const forged = await holdfast(OPERATOR, 'verify', '--file', saved);
  expect(forged.code).toBe(1);
  expect(forged.out).toContain('its previous hash is not that of the entry before it');
});

test('a grant survives a restart of holdfastd within its time, and its end is observed and recorded', async () => {
  const granted = await holdfast(OPERATOR, 'grant', 'demo', 'host:metrics', '--for', '6s', '--reason', 'short', '--json');
  const { id } = JSON.parse(granted.out) as { id: string };
  daemon.kill('SIGKILL');
  await until('its end', () => daemon.signalCode !== null);
  await startDaemon();
  expect((await holdfast(OPERATOR, 'grants')).out).toContain(id);
  await until('the recorded end', async () => (await entries('--kind', 'grant.ended')).some((entry) => entry.data['grant'] === id && entry.data['how'] === 'expired'));
  expect((await holdfast(OPERATOR, 'grants')).out).toBe('no grant holds now\n');
});

test('only declared operators are answered: root is none, the agent is none, and that is on record (R104, B01)', async () => {
  expect(await holdfast(OPERATOR, 'agent', 'list')).toMatchObject({ code: 0 });
  for (const uid of [0, AGENT, 30_201]) {
    const told = await holdfast(uid, 'grant', 'demo', 'host:metrics', '--for', '10m', '--reason', 'me');
    expect(told).toMatchObject({ code: 1, out: '' });
    expect(told.err).toContain(`uid ${uid} is no operator of this machine`);
  }
  const refused = await entries('--kind', 'door.refused');
  expect(refused.map((entry) => entry.data['uid'])).toEqual(expect.arrayContaining([0, AGENT, 30_201]));
});

test('the door asks the kernel: the right uid from another control group, and another uid, are sent away (A17, B02)', async () => {
  const tries = [as(AGENT, null, ['mcp']), as(AGENT + 1, `${GROUP}/login`, ['mcp'])];
  for (const [command, args] of tries) {
    const client = new Client({ name: 'stranger', version: '1' });
    await expect(client.connect(new StdioClientTransport({ command, args: [...args], env: { PATH: '/usr/bin:/bin' }, stderr: 'ignore' }))).rejects.toThrow();
  }
  await until('the record', async () => (await entries('--kind', 'session.opened')).length === 1);
});

test('who cannot read the list of agents says whose door it wants, as a program in an agent\'s own unit must', async () => {
  const enter = async (words: readonly string[]): Promise<string[]> => {
    const [command, args] = as(AGENT, `${GROUP}/login`, words);
    const client = new Client({ name: 'inside', version: '1' });
    await client.connect(new StdioClientTransport({ command, args: [...args], env: { PATH: '/usr/bin:/bin' }, stderr: 'ignore' }));
    const { tools } = await client.listTools();
    await client.close();
    return tools.map((tool) => tool.name);
  };
  chmodSync(paths.declaredAgents, 0o600);
  try {
    await expect(enter(['mcp'])).rejects.toThrow();
    expect(await enter(['mcp', '--agent', 'demo'])).toContain('process.list');
    for (const other of ['nobody', '../operator']) await expect(enter(['mcp', '--agent', other]), other).rejects.toThrow();
  } finally {
    chmodSync(paths.declaredAgents, 0o644);
  }
});

test('the tour goes its way without a terminal, over what an agent really does', async () => {
  const [command, args] = as(AGENT, `${GROUP}/login`, ['mcp']);
  const client = new Client({ name: 'toured', version: '1' });
  await client.connect(new StdioClientTransport({ command, args: [...args], env: { PATH: '/usr/bin:/bin' }, stderr: 'inherit' }));
  const measure = async () => (await client.callTool({ name: 'host.metrics', arguments: {} })).isError !== true;
  expect(await measure()).toBe(false);
  await client.callTool({ name: 'authority.request', arguments: { capability: 'host:metrics', for: '20s', reason: 'to see how it is' } });
  const tour = holdfast(OPERATOR, 'tour');
  await until('the grant', measure);
  const { code, out, err } = await tour;
  await client.close();
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const lines = out.split('\n');
  expect(lines.filter((line) => line.startsWith('$ '))).toEqual([
    '$ holdfast log --agent demo --outcome refused --limit 5',
    '$ holdfast requests',
    expect.stringMatching(/^\$ holdfast grant demo host:metrics --for 20s --reason 'asked in r-[0-9a-f]+'$/),
    '$ holdfast grants',
    '$ holdfast log --agent demo --limit 8',
    '$ holdfast verify',
  ]);
  expect(out).toMatch(/REFUSED host\.metrics: needs host:metrics \(default-deny\)/);
  expect(out).toMatch(/anna +granted demo host:metrics for 20s/);
  expect(out).toMatch(/demo +did host\.metrics/);
  expect(out).toMatch(/^good: \d+ entries/m);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(130);
});

test('a broken declaration changes nothing and is told; a good one closes the doors of who is gone (A28)', async () => {
  writeFileSync(paths.declaredAgents, '{"agents":[');
  await until('the record', async () => (await entries('--kind', 'configuration.changed')).some((entry) => String(entry.data['what']).startsWith('refused')));
  expect((await holdfast(OPERATOR, 'agent', 'list')).out).toContain('demo');
  await holdfast(OPERATOR, 'grant', 'demo', 'host:metrics', '--for', '10m', '--reason', 'to be taken away');
  declare([{ ...demo, ceiling: { allow: ['process:list'], deny: [] } }]);
  await until('the end of the grant', async () => (await holdfast(OPERATOR, 'grants')).out === 'no grant holds now\n');
  declare([]);
  await until('the empty list', async () => (await holdfast(OPERATOR, 'agent', 'list')).out.startsWith('no agent is declared'));
  expect(existsSync(join(paths.agentDoors, 'demo/mcp.sock'))).toBe(false);
  declare([demo]);
  await until('the door', () => existsSync(join(paths.agentDoors, 'demo/mcp.sock')));
});

test(`kill -9 of holdfastd under load, ${COUNT} times: no reply that the client saw is without its entry`, async () => {
  const seen = new Set<string>();
  for (let turn = 0; turn < COUNT; turn += 1) {
    await loadUntilKilled(seen, turn);
    await startDaemon();
    await until('the door', () => existsSync(join(paths.agentDoors, 'demo/mcp.sock')));
  }
  expect(seen.size).toBeGreaterThan(COUNT);
  const ended = new Set((await entries('--kind', 'call.outcome')).map((entry) => entry.trace));
  expect([...seen].filter((trace) => !ended.has(trace))).toEqual([]);
  expect((await holdfast(OPERATOR, 'verify')).code).toBe(0);
});

/** A client that calls as fast as it is answered; each call carries a trace of its own, which the entries carry too. */
async function loadUntilKilled(seen: Set<string>, turn: number): Promise<void> {
  const [command, args] = as(AGENT, `${GROUP}/login`, ['mcp']);
  const client = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { PATH: '/usr/bin:/bin' } });
  client.stdin.on('error', () => undefined);
  const closed = new Promise((resolve) => client.on('close', resolve));
  const traces = new Map<number, string>();
  let next = 1;
  const send = (): void => {
    const id = (next += 1);
    const trace = createHash('sha256').update(`${turn}/${id}`).digest('hex').slice(0, 32);
    traces.set(id, trace);
    const params = { name: 'process.list', arguments: {}, _meta: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } };
    client.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })}\n`);
  };
  let answers = 0;
  createInterface({ input: client.stdout }).on('line', (line) => {
    const { id, result } = JSON.parse(line) as { id?: number; result?: { isError?: boolean } };
    if (id === 1) for (let n = 0; n < 8; n += 1) send();
    const trace = id === undefined ? undefined : traces.get(id);
    if (trace === undefined || result === undefined || result.isError === true) return;
    seen.add(trace);
    answers += 1;
    send();
  });
  const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'load', version: '1' } };
  client.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: initialize })}\n`);
  await until('some answers', () => answers > 3 + (turn % 7));
  daemon.kill('SIGKILL');
  await until('its end', () => daemon.signalCode !== null);
  await closed;
}

test('the shell knows holdfast and nothing else; an agent user gets its door whatever it asks for', async () => {
  const shell = (uid: number, group: string | null, ...words: readonly string[]): Promise<{ code: number; out: string; err: string }> => {
    const [command, [flag, script]] = as(uid, group, []) as [string, [string, string]];
    const child = spawn(command, [flag, script, process.execPath, MAIN, 'holdfast-shell', '--root', root, ...words], { env: { PATH: '/usr/bin:/bin' } });
    let out = '';
    let err = '';
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (err += text.toString()));
    child.stdin.end(uid === OPERATOR ? 'agent list\nls /\nholdfast version\nexit\nversion\n' : '{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
    return new Promise((resolve) => child.on('close', (code) => resolve({ code: code ?? -1, out, err })));
  };
  expect(await shell(OPERATOR, null, '-c', 'holdfast version')).toMatchObject({ code: 0, out: expect.stringMatching(/^holdfast \d/) });
  expect(await shell(OPERATOR, null, '-c', 'ls /')).toMatchObject({ code: 64, out: '', err: expect.stringContaining('only holdfast can be run here, not "ls"') });
  const typed = await shell(OPERATOR, null);
  expect(typed.out).toContain('demo');
  expect(typed.out.match(/holdfast \d/g)).toHaveLength(1);
  expect(typed.err).toContain('unknown command "ls"');
  for (const words of [['-c', 'sh -i'], ['-c', 'holdfast grants'], []]) {
    const got = await shell(AGENT, `${GROUP}/login`, ...words);
    expect(JSON.parse(got.out)).toMatchObject({ jsonrpc: '2.0', id: 1, result: {} });
  }
});

test('on SIGTERM holdfastd ends by itself, and says so before the ledger', async () => {
  daemon.kill('SIGTERM');
  await until('its end', () => daemon.exitCode !== null);
  expect(daemon.exitCode).toBe(0);
  expect(existsSync(join(paths.agentDoors, 'demo/mcp.sock'))).toBe(false);
  expect(readFileSync(join(paths.daemonRuntime, 'grants.json'), 'utf8')).toContain('"grants":[]');
});
