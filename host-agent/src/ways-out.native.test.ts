// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readJsonLines, writeJsonLine } from './effects/json-lines.ts';
import { pathsUnder } from './effects/paths.ts';
import type { NetAnswer, NetAsk, NetCut, NetEnd } from './egress/egress-wire.ts';
import { netPermitDigest } from './egress/net-permit.ts';
import type { Entry, JsonObject, JsonValue } from './ledger/entry.ts';
import { isReceiptValid, parseReceiptKey } from './ledger/receipt.ts';

// The real ledger, holdfastd and command line as processes; holdfast-egress is a client that only says what it would say.

const MAIN = join(import.meta.dirname, 'main.ts');
const OPERATOR = 30_200;
const FETCHER = 30_106;
const UNIFIED = existsSync('/sys/fs/cgroup/cgroup.procs') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
const GROUP = `/holdfast-ways-${process.pid}`;
const root = mkdtempSync('/tmp/holdfast-ways-');
const paths = pathsUnder(root);
const children = new Set<ChildProcess>();
let daemon: ChildProcess;
let egress: Egress;

const KEY = {
  name: 'MODEL_KEY', agents: ['coder'], hosts: [{ host: 'api.example', port: 443 }], header: { name: 'x-api-key', template: '{}' }, placeholder: 'sk-placeholder',
};
const DAY = { bytesPerDay: 1024 ** 3, requestsPerDay: 10_000 };

function agent(name: string, uid: number, part: object = {}): object {
  return {
    name, pack: 'main', id: `agent.main.${name}.v1`, type: 'dev', mode: 'mediated', uid, program: null, home: null, profile: 'p', start: 'manual', root: 'image',
    capabilities: ['net:connect:open.example:443', 'net:connect:api.example:443', 'secret:use:MODEL_KEY', 'model:use:*'],
    ceiling: { allow: ['net:connect:*', 'secret:use:*', 'model:use:*'], deny: ['net:connect:never.example:443'] },
    limits: { timeoutMs: 60_000, memoryMax: 256 * 1024 ** 2, tasksMax: 64, outputMax: 65_536 },
    workspace: paths.workspaces, peers: { agent: `/x/${name}`, remote: `/y/${name}` }, peerLabels: { agent: 'unconfined', remote: 'unconfined' }, callLabel: 'unconfined', containerLabel: null,
    net: { rules: [{ host: 'api.example', mode: 'inspect', methods: ['POST'], paths: ['/v1/**'], responseMax: 1_000_000, upgrades: [] }], quota: DAY },
    secrets: [{ ...KEY, agents: [name] }], budget: { costPerDay: 5_000_000, tokensPerHour: 500_000 },
    ...part,
  };
}

const AGENTS = [
  agent('coder', 30_100),
  agent('spender', 30_101, { budget: { costPerDay: 60_000, tokensPerHour: null } }),
  agent('counter', 30_102, { net: { rules: [], quota: { bytesPerDay: 400_000, requestsPerDay: 5 } } }),
  agent('noisy', 30_103),
  agent('damaged', 30_104),
  agent('quiet', 30_105, { net: null, secrets: [], capabilities: [], ceiling: { allow: ['process:list'], deny: [] } }),
  agent('fetcher', FETCHER, { capabilities: ['net:connect:api.example:443', 'net:connect:open.example:443'], peers: { agent: `/x/fetcher`, remote: GROUP } }),
];

function declare(agents: readonly object[]): void {
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

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) {
    if (await holds()) return;
    await sleep(25);
  }
  throw new Error(`${what} did not come`);
}

async function startDaemon(): Promise<void> {
  for (const path of [paths.operatorSocket, paths.egressDoorSocket]) rmSync(path, { force: true });
  daemon = start('holdfastd');
  await until('the doors', () => existsSync(paths.operatorSocket) && existsSync(paths.egressDoorSocket));
  chmodSync(paths.operatorSocket, 0o666);
  egress = await openEgress();
}

async function killDaemon(signal: NodeJS.Signals): Promise<void> {
  daemon.kill(signal);
  await until('its end', () => daemon.exitCode !== null || daemon.signalCode !== null);
}

async function holdfast(...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn('setpriv', ['--reuid', String(OPERATOR), '--regid', String(OPERATOR), '--clear-groups', process.execPath, MAIN, 'holdfast', '--root', root, ...words], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/bin:/bin' } });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number>((resolve) => child.on('close', (c) => resolve(c ?? -1)));
  return { code, out, err };
}

async function entries(...words: readonly string[]): Promise<readonly Entry[]> {
  const shown = await holdfast('log', '--json', '--limit', '10000', ...words);
  expect(shown.err).toBe('');
  return shown.out.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Entry);
}

async function outcomeOf(call: string): Promise<JsonObject> {
  let found: Entry | undefined;
  await until(`the outcome of ${call}`, async () => (found = (await entries('--kind', 'net.outcome')).find((entry) => entry.data['call'] === call)) !== undefined);
  return found!.data;
}

type Egress = {
  readonly socket: Socket;
  readonly ask: (part: Partial<NetAsk>) => Promise<NetAnswer>;
  readonly say: (value: JsonValue) => Promise<JsonObject>;
  readonly end: (call: string, part?: Partial<NetEnd>) => void;
  readonly cuts: NetCut[];
  readonly closed: Promise<void>;
};

async function openEgress(): Promise<Egress> {
  const socket = connect(paths.egressDoorSocket);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const waiting = new Map<number, (answer: JsonObject) => void>();
  const cuts: NetCut[] = [];
  let next = 1;
  readJsonLines(socket, {
    maxBytes: 65_536,
    onValue: (value) => {
      const said = value as JsonObject;
      if ('cut' in said) return void cuts.push(said as unknown as NetCut);
      waiting.get(said['id'] as number)?.(said);
      waiting.delete(said['id'] as number);
    },
    onViolation: () => undefined,
  });
  const say = (value: JsonValue): Promise<JsonObject> => new Promise((resolve) => {
    waiting.set((value as JsonObject)['id'] as number, resolve);
    writeJsonLine(socket, value);
  });
  const ask = async (part: Partial<NetAsk>): Promise<NetAnswer> => {
    const whole: NetAsk = { id: next++, ask: 'open', agent: 'coder' as never, what: 'tunnel', host: 'open.example', port: 443, method: null, path: null, secrets: [], model: null, upgrade: null, ...part };
    return (await say(whole as unknown as JsonValue)) as unknown as NetAnswer;
  };
  const end = (call: string, part: Partial<NetEnd> = {}): void => {
    writeJsonLine(socket, { tell: 'ended', call, how: 'ok', status: null, bytesUp: 10, bytesDown: 20, address: '192.0.2.7', usage: null, why: null, ...part } as JsonValue);
  };
  return { socket, ask, say, end, cuts, closed: new Promise((resolve) => socket.once('close', () => resolve())) };
}

function allowed(answer: NetAnswer): Extract<NetAnswer, { readonly ok: true }> {
  if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
  return answer;
}

const model = { api: 'anthropic-messages', model: 'claude-sonnet-4-5', maxOutputTokens: 1_000, inputBytes: 1_000 } as const;
/** 1000 bytes in at the price of writing them to a cache, 1000 tokens out. */
const CEILING = 1_000 * 6 + 1_000 * 15;
const MESSAGE = { what: 'request', host: 'api.example', method: 'POST', path: '/v1/messages', secrets: ['MODEL_KEY'], model } as const;
const USAGE = { model: 'claude-sonnet-4-5-20250929', input: 100, cachedInput: 0, cacheWrite: 0, output: 10, said: true } as const;

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('this test starts processes as other users: run it as root');
  chmodSync(root, 0o755);
  for (const dir of [paths.daemonRuntime, paths.runnerSockets, paths.ledgerState, paths.usage, join(root, 'run/holdfast/declared'), join(root, 'var')]) mkdirSync(dir, { recursive: true });
  for (const name of ['coder', 'spender', 'counter', 'noisy', 'damaged', 'quiet']) mkdirSync(join(paths.agentDoors, name), { recursive: true });
  const door = join(paths.agentDoors, 'fetcher');
  mkdirSync(door, { recursive: true });
  chownSync(door, 0, FETCHER);
  chmodSync(door, 0o2750);
  mkdirSync(`${UNIFIED}${GROUP}`, { recursive: true });
  writeFileSync(join(paths.usage, 'damaged.json'), '{"v":1,');
  declare(AGENTS);
  writeFileSync(paths.declaredOperators, JSON.stringify({ operators: [{ name: 'anna', uid: OPERATOR, roles: ['admin'] }] }));
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
      rmdirSync(`${UNIFIED}${GROUP}`);
      return true;
    } catch {
      return false;
    }
  });
});

beforeEach(() => {
  egress.cuts.length = 0;
});

test('an allowed way out has a receipt over its permit, and intent and outcome on record', async () => {
  const answer = allowed(await egress.ask(MESSAGE));
  const { permit, receipt } = answer;
  expect(permit).toMatchObject({ v: 1, kind: 'net', agent: 'coder', host: 'api.example', port: 443, secrets: ['MODEL_KEY'] });
  expect(receipt).toMatchObject({ permit: netPermitDigest(permit), agent: 'coder', notAfter: permit.notAfter });
  const key = parseReceiptKey(readFileSync(paths.receiptKey, 'utf8'));
  expect(key.ok && isReceiptValid(receipt, key.value)).toBe(true);
  expect(answer.limits).toEqual({ bytesUp: 1_000 + 65_536, bytesDown: 1_000_000 + 65_536 });
  egress.end(permit.call, { status: 200, bytesUp: 1_200, bytesDown: 3_400, usage: USAGE });

  expect(await outcomeOf(permit.call)).toMatchObject({
    agent: 'coder', host: 'api.example', status: 'ok', http_status: 200, bytes_up: 1_200, bytes_down: 3_400, address: '192.0.2.7', intent: receipt.seq, cost_micros: 450, tokens: 110, charged: 'said',
    usage: { model: 'claude-sonnet-4-5-20250929', input: 100, output: 10, said: true },
  });
  const intent = (await entries('--kind', 'net.intent')).find((entry) => entry.seq === receipt.seq)!;
  expect(intent).toMatchObject({ actor: { type: 'agent', id: 'coder' }, data: { call: permit.call, method: 'POST', path: '/v1/messages', secrets: ['MODEL_KEY'], permit_digest: receipt.permit } });
  expect(intent.data).toMatchObject({ capabilities: ['net:connect:api.example:443', 'secret:use:MODEL_KEY', 'model:use:claude-sonnet-4-5'], reserved: { cost_micros: CEILING, tokens: 2_000 } });
  const shown = await holdfast('usage', 'coder', '--json');
  expect(JSON.parse(shown.out)).toMatchObject({ agent: 'coder', problem: null, figures: [{ kind: 'cost', limit: 5_000_000, spent: 450, open: 0 }, { kind: 'tokens', spent: 110 }, { kind: 'requests', spent: 1 }, { kind: 'bytes', spent: 4_600 }] });
  expect((await holdfast('log', '--kind', 'net.outcome')).out).toContain('reached api.example:443 (200)');
});

test.each<[string, Partial<NetAsk>, object]>([
  ['a host that is not held: what to ask for', { host: 'other.example' }, { rule: 'default-deny', ask: 'net:connect:other.example:443', retryAfterMs: null, message: expect.stringContaining('You do not hold net:connect:other.example:443.') }],
  ['another port of a host that is held', { port: 22 }, { rule: 'default-deny', ask: 'net:connect:open.example:22' }],
  ['a host that the type can never reach', { host: 'never.example' }, { rule: 'ceiling.deny:net:connect:never.example:443', ask: null }],
  ['a tunnel to a host that is read', { host: 'api.example' }, { rule: 'host.inspect', ask: null }],
  ['a method that the file does not name', { ...MESSAGE, method: 'DELETE' }, { rule: 'host.method', ask: null }],
  ['a path that the file does not name', { ...MESSAGE, path: '/admin' }, { rule: 'host.path', ask: null }],
  ['a path that may be read as another', { ...MESSAGE, path: '/v1/%2e%2e/admin' }, { rule: 'host.path', ask: null }],
  ['an upgrade that nobody granted', { ...MESSAGE, upgrade: 'websocket' }, { rule: 'host.upgrade', ask: null }],
  ['a secret for another host', { what: 'request', method: 'GET', path: '/', secrets: ['MODEL_KEY'] }, { rule: 'secret.not_bound' }],
  ['a secret that is not held', { ...MESSAGE, secrets: ['OTHER_KEY'] }, { rule: 'default-deny', ask: 'secret:use:OTHER_KEY' }],
  ['a model whose price nobody knows', { ...MESSAGE, model: { ...model, model: 'mystery-1' } }, { rule: 'model.price', message: expect.stringContaining('holdfast usage prices') }],
  ['an agent without a network', { agent: 'quiet' as never }, { rule: 'net.none', ask: null }],
  ['an agent that nobody declared', { agent: 'nobody' as never }, { rule: 'agent.unknown', ask: null }],
  ['an agent of whose spending nobody knows', { agent: 'damaged' as never }, { rule: 'usage.unreadable', message: expect.stringContaining('holdfast usage reset damaged') }],
  ['an address in another spelling', { host: '0x7f.1' }, { rule: 'malformed' }],
  ['capital letters', { host: 'Open.example' }, { rule: 'malformed' }],
  ['a path with its query', { ...MESSAGE, path: '/v1/messages?key=x' }, { rule: 'malformed' }],
])('refused: %s', async (_, part, refusal) => {
  // The control: on the same connection, the same moment, what is held goes.
  const good = allowed(await egress.ask({}));
  egress.end(good.permit.call);
  expect(await egress.ask(part)).toMatchObject({ ok: false, refusal });
});

test('a refusal is on record with what was missing', async () => {
  await egress.ask({ host: 'recorded.example' });
  await until('the record', async () => (await entries('--kind', 'net.refused')).some(({ data }) => data['host'] === 'recorded.example'));
  const refused = (await entries('--kind', 'net.refused')).find(({ data }) => data['host'] === 'recorded.example')!;
  expect(refused).toMatchObject({ actor: { type: 'agent', id: 'coder' }, data: { agent: 'coder', missing: ['net:connect:recorded.example:443'], rule: 'default-deny', count: 1 } });
});

describe('authority that ends', () => {
  test('granted it goes; revoked it is cut, and goes no more', async () => {
    const asked = { host: 'granted.example' };
    expect(await egress.ask(asked)).toMatchObject({ ok: false });
    const granted = await holdfast('grant', 'coder', 'net:connect:granted.example:443', '--for', '10m', '--reason', 'a test', '--json');
    const { id } = JSON.parse(granted.out) as { id: string };
    const { permit } = allowed(await egress.ask(asked));
    expect(egress.cuts).toEqual([]);
    expect(await holdfast('revoke', id)).toMatchObject({ code: 0 });
    await until('the cut', () => egress.cuts.length === 1);
    expect(egress.cuts).toEqual([{ cut: permit.call, why: expect.stringContaining('was revoked') }]);
    egress.end(permit.call, { how: 'cut' });
    expect(await outcomeOf(permit.call)).toMatchObject({ status: 'cut' });
    expect(await egress.ask(asked)).toMatchObject({ ok: false, refusal: { rule: 'default-deny' } });
  });

  test('a permit ends with its grant, and a use is spent once', async () => {
    const asked = { host: 'once.example' };
    await holdfast('grant', 'coder', 'net:connect:once.example:443', '--for', '60s', '--uses', '1', '--reason', 'a test');
    const answers = await Promise.all(Array.from({ length: 8 }, () => egress.ask(asked)));
    const good = answers.filter((answer) => answer.ok).map(allowed);
    expect(good).toHaveLength(1);
    const free = allowed(await egress.ask({}));
    expect(free.permit.notAfter - good[0]!.permit.notAfter).toBeGreaterThan(500_000);
    // That it is used up is no end of what it allowed.
    expect(egress.cuts).toEqual([]);
    for (const { permit } of [...good, free]) egress.end(permit.call);
  });

  test('who is declared anew, or no more, is called back', async () => {
    const { permit } = allowed(await egress.ask({ agent: 'noisy' as never }));
    declare(AGENTS.filter((one) => (one as { name: string }).name !== 'noisy'));
    await until('the cut', () => egress.cuts.length === 1);
    expect(egress.cuts).toEqual([{ cut: permit.call, why: 'its agent is declared no more' }]);
    egress.end(permit.call, { how: 'cut' });
    expect(await egress.ask({ agent: 'noisy' as never })).toMatchObject({ ok: false, refusal: { rule: 'agent.unknown' } });
    declare(AGENTS);
    await until('it is back', async () => {
      const answer = await egress.ask({ agent: 'noisy' as never });
      if (answer.ok) egress.end(answer.permit.call);
      return answer.ok;
    });
  });

  test('when holdfast-egress goes away, what it had out is lost and charged in full', async () => {
    const before = JSON.parse((await holdfast('usage', 'coder', '--json')).out) as { figures: { spent: number }[] };
    const other = await openEgress();
    const { permit } = allowed(await other.ask(MESSAGE));
    // An end that another connection tells is nobody's word.
    egress.end(permit.call, { usage: USAGE, status: 200 });
    other.socket.destroy();
    expect(await outcomeOf(permit.call)).toMatchObject({ status: 'lost', bytes_up: null, cost_micros: CEILING, charged: 'ceiling', why: 'holdfast-egress went away' });
    const after = JSON.parse((await holdfast('usage', 'coder', '--json')).out) as { figures: { spent: number }[] };
    expect(after.figures[0]!.spent - before.figures[0]!.spent).toBe(CEILING);
  });
});

describe('what may be spent', () => {
  const spender = { ...MESSAGE, agent: 'spender' as never };

  test('callers at the same time cannot spend together what each might alone', async () => {
    // 60000 millionths: two ceilings of 21000, not three.
    const answers = await Promise.all(Array.from({ length: 10 }, () => egress.ask(spender)));
    const good = answers.filter((answer) => answer.ok).map(allowed);
    expect(good).toHaveLength(2);
    for (const answer of answers.filter((one) => !one.ok)) {
      expect(answer).toMatchObject({ refusal: { rule: 'budget.cost', ask: null, retryAfterMs: 2_000, message: expect.stringContaining('This request may cost up to $0.021, and of the $0.06 that you have in 24 hours, $0.00 are spent and $0.042 held') } });
    }
    // One says what it cost and frees the rest; of the other nobody says anything.
    egress.end(good[0]!.permit.call, { status: 200, usage: USAGE });
    egress.end(good[1]!.permit.call, { status: 200, usage: null });
    expect(await outcomeOf(good[1]!.permit.call)).toMatchObject({ cost_micros: CEILING, charged: 'ceiling' });
    const third = allowed(await egress.ask(spender));
    egress.end(third.permit.call, { status: 401 });
    expect(await outcomeOf(third.permit.call)).toMatchObject({ cost_micros: 0, charged: 'nothing' });
  });

  test('what was out when holdfastd was killed is charged in full and recorded; what was spent stays spent', async () => {
    const out = allowed(await egress.ask(spender));
    await killDaemon('SIGKILL');
    await startDaemon();
    expect(await outcomeOf(out.permit.call)).toMatchObject({ agent: 'spender', status: 'lost', cost_micros: CEILING, why: 'holdfastd ended before its end was told' });
    const refused = await egress.ask(spender);
    // 450 + 21000 + 21000 are spent; enough is free again when the first of them is a day old.
    expect(refused).toMatchObject({ ok: false, refusal: { rule: 'budget.cost' } });
    if (!refused.ok) expect(refused.refusal.retryAfterMs).toBeGreaterThan(23 * 3_600_000);
    expect((await holdfast('usage', 'spender')).out).toMatch(/\$0\.0424\d* of \$0\.06/);
    // By the wall clock it does not help to say that it is last year: the clock of the account only goes on.
    const kept = JSON.parse(readFileSync(join(paths.usage, 'spender.json'), 'utf8')) as { clock: { boot: string; wallMs: number } };
    await killDaemon('SIGKILL');
    writeFileSync(join(paths.usage, 'spender.json'), JSON.stringify({ ...kept, clock: { ...kept.clock, boot: 'another boot', wallMs: kept.clock.wallMs + 400 * 86_400_000 } }));
    await startDaemon();
    expect(await egress.ask(spender)).toMatchObject({ ok: false, refusal: { rule: 'budget.cost' } });
    // The control: of another boot two days ago it would have been free again.
    await killDaemon('SIGKILL');
    writeFileSync(join(paths.usage, 'spender.json'), JSON.stringify({ ...kept, clock: { ...kept.clock, boot: 'another boot', wallMs: kept.clock.wallMs - 2 * 86_400_000 } }));
    await startDaemon();
    const free = allowed(await egress.ask(spender));
    egress.end(free.permit.call, { status: 401 });
  });

  test('an operator adds a price, and the model goes', async () => {
    const file = join(root, 'prices.yaml');
    writeFileSync(file, 'models:\n  mystery-1: {input: "1", output: "2", output-max: 100}\n', { mode: 0o644 });
    chmodSync(file, 0o644);
    expect(await holdfast('usage', 'prices', file)).toMatchObject({ code: 0, err: '' });
    const { permit } = allowed(await egress.ask({ ...MESSAGE, model: { ...model, model: 'mystery-1' } }));
    egress.end(permit.call, { status: 200, usage: { ...USAGE, model: 'mystery-1' } });
    expect(await outcomeOf(permit.call)).toMatchObject({ cost_micros: 120 });
    expect((await holdfast('usage', 'prices')).out).toContain('mystery-1');
    writeFileSync(file, 'models:\n  mystery-1: {input: 1}\n');
    expect(await holdfast('usage', 'prices', file)).toMatchObject({ code: 1, err: expect.stringContaining('line 2') });
  });

  test('requests and bytes of a day', async () => {
    const counter = { agent: 'counter' as never };
    const first = allowed(await egress.ask(counter));
    // An eighth of what is left; a quarter of that up.
    expect(first.limits).toEqual({ bytesUp: 12_500, bytesDown: 37_500 });
    const second = allowed(await egress.ask(counter));
    expect(second.limits).toEqual({ bytesUp: 12_500, bytesDown: 37_500 });
    egress.end(first.permit.call, { bytesUp: 50_000, bytesDown: 150_000, how: 'quota' });
    egress.end(second.permit.call, { bytesUp: 25_000, bytesDown: 75_000, how: 'quota' });
    await outcomeOf(second.permit.call);
    const third = allowed(await egress.ask(counter));
    egress.end(third.permit.call, { bytesUp: 10_000, bytesDown: 55_000 });
    await outcomeOf(third.permit.call);
    const refused = await egress.ask(counter);
    expect(refused).toMatchObject({ ok: false, refusal: { rule: 'quota.bytes', message: expect.stringContaining('365000 bytes are spent') } });
    if (!refused.ok) expect(refused.refusal.retryAfterMs).toBeGreaterThan(23 * 3_600_000);
  });

  test('an account that cannot be read closes the way until a person begins a new one, and status says so', async () => {
    expect((await holdfast('status')).out).toMatch(/bad +budgets +what damaged has spent cannot be read/);
    expect((await holdfast('usage', 'damaged')).out).toContain('holdfast usage reset damaged');
    expect(await holdfast('usage', 'reset', 'damaged', '--reason', 'a disk fault')).toMatchObject({ code: 0, err: '' });
    const { permit } = allowed(await egress.ask({ agent: 'damaged' as never }));
    egress.end(permit.call);
    expect((await holdfast('status')).out).not.toContain('budgets');
    expect((await entries('--kind', 'configuration.changed')).some(({ data }) => data['what'] === 'usage begun anew' && data['agent'] === 'damaged')).toBe(true);
  });
});

test('a flood of what holdfast-egress refused is some entries and a count, whatever it says', async () => {
  for (let n = 0; n < 500; n += 1) writeJsonLine(egress.socket, { tell: 'refused', agent: 'quiet', rule: 'bad_target', host: null, port: null, count: 3 });
  egress.end(allowed(await egress.ask({})).permit.call);
  await killDaemon('SIGTERM');
  const refused = (await entries('--kind', 'net.refused', '--agent', 'quiet')).filter(({ data }) => data['rule'] === 'bad_target');
  expect(refused.length).toBeLessThan(60);
  expect(refused.reduce((sum, { data }) => sum + (data['count'] as number), 0)).toBe(1_500);
  await startDaemon();
});

test('a flood of refused requests makes some entries and then counts, and others are not held up', async () => {
  const noisy = { agent: 'noisy' as never, host: 'wall.example' };
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => egress.ask(noisy)));
  expect(answers.every((answer) => !answer.ok)).toBe(true);
  const rules = new Set(answers.map((answer) => (answer.ok ? '' : answer.refusal.rule)));
  expect(rules).toEqual(new Set(['default-deny', 'limit.rate']));
  const begun = performance.now();
  const { permit } = allowed(await egress.ask({}));
  expect(performance.now() - begun).toBeLessThan(1_000);
  egress.end(permit.call);
  await killDaemon('SIGTERM');
  const refused = (await entries('--kind', 'net.refused', '--agent', 'noisy')).filter(({ data }) => data['host'] === 'wall.example' || data['host'] === null);
  expect(refused.length).toBeLessThan(60);
  expect(refused.reduce((sum, { data }) => sum + (data['count'] as number), 0)).toBe(1_000);
  await startDaemon();
});

test('what holdfast-egress refuses by itself is on record: as the outcome of the intent, or where there is none by its rule', async () => {
  const { permit } = allowed(await egress.ask({}));
  egress.end(permit.call, { how: 'refused', address: null, why: 'internal_address' });
  expect(await outcomeOf(permit.call)).toMatchObject({ status: 'refused', why: 'internal_address', host: 'open.example' });
  writeJsonLine(egress.socket, { tell: 'refused', agent: 'coder', rule: 'path', host: 'api.example', port: 443, count: 1 });
  writeJsonLine(egress.socket, { tell: 'refused', agent: 'coder', rule: 'bad_request', host: null, port: null, count: 12 });
  // Neither of these is believed: a rule that there is not, a query, an agent that nobody declared.
  const bad = { tell: 'refused', agent: 'coder', rule: 'path', host: 'api.example', port: 443, count: 1 };
  for (const part of [{ rule: 'hunter2' }, { host: 'api.example/?key=hunter2' }, { agent: 'hunter2' }, { path: '/hunter2' }, { count: 0 }, { port: null }]) writeJsonLine(egress.socket, { ...bad, ...part });
  egress.end(allowed(await egress.ask({})).permit.call);
  const own = async () => (await entries('--kind', 'net.refused')).filter(({ data }) => data['by'] === 'holdfast-egress' && data['agent'] === 'coder');
  await until('the records', async () => (await own()).length >= 2);
  expect((await own()).map(({ actor, data }) => ({ actor, data }))).toEqual([
    { actor: { type: 'agent', id: 'coder' }, data: { agent: 'coder', host: 'api.example', port: 443, rule: 'path', count: 1, by: 'holdfast-egress' } },
    { actor: { type: 'agent', id: 'coder' }, data: { agent: 'coder', host: null, port: null, rule: 'bad_request', count: 12, by: 'holdfast-egress' } },
  ]);
  expect(JSON.stringify(await entries())).not.toContain('hunter2');
  const shown = (await holdfast('log', '--kind', 'net.refused')).out;
  expect(shown).toContain('REFUSED api.example:443 before it was judged');
  expect(shown).toMatch(/REFUSED ways out.*12.*bad_request/);
});

test('told to stop, holdfastd calls everybody back and records their ends', async () => {
  const told = allowed(await egress.ask({}));
  const silent = allowed(await egress.ask({}));
  const stopping = killDaemon('SIGTERM');
  await until('the cuts', () => egress.cuts.length === 2);
  expect(egress.cuts.map(({ why }) => why)).toEqual(['holdfastd is stopping', 'holdfastd is stopping']);
  egress.end(told.permit.call, { how: 'cut' });
  await stopping;
  expect(await outcomeOf(told.permit.call)).toMatchObject({ status: 'cut' });
  expect(await outcomeOf(silent.permit.call)).toMatchObject({ status: 'lost' });
  await startDaemon();
});

test('the door is for holdfast-egress alone', async () => {
  chmodSync(paths.egressDoorSocket, 0o666);
  const script = `const s=require('node:net').connect(process.argv[1]);s.on('close',()=>process.exit(7));s.on('error',()=>process.exit(8));s.write('{"id":1}\\n');setTimeout(()=>process.exit(0),500)`;
  const code = (uid: number) => new Promise<number | null>((resolve) => spawn('setpriv', ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', process.execPath, '-e', script, paths.egressDoorSocket], { stdio: 'ignore' }).on('close', resolve));
  // Closed, or reset while it spoke. The control: the user that holdfast-egress is here stays.
  expect([7, 8]).toContain(await code(30_100));
  expect(await code(0)).toBe(0);
  // What cannot be read is refused under its own id; the connection goes on.
  expect(await egress.say({ id: 99_999, ask: 'open' })).toMatchObject({ ok: false, refusal: { rule: 'malformed' } });
  egress.end((allowed(await egress.ask({}))).permit.call);
});

test('net.fetch: judged, recorded without its query, permitted, made by holdfast-egress, counted', async () => {
  const made: { permit: JsonObject; receipt: JsonObject; request: JsonObject }[] = [];
  mkdirSync(join(paths.egressFetchSocket, '..'), { recursive: true });
  const server = createServer((socket) => {
    readJsonLines(socket, {
      maxBytes: 1024 * 1024,
      onValue: (value) => {
        made.push(value as unknown as (typeof made)[number]);
        writeJsonLine(socket, { ok: true, status: 200, headers: [['content-type', 'text/plain']], body: Buffer.from('hello').toString('base64'), truncated: false });
      },
      onViolation: () => undefined,
    });
  });
  await new Promise<void>((resolve) => server.listen(paths.egressFetchSocket, resolve));
  const script = `echo $$ > ${UNIFIED}${GROUP}/cgroup.procs; exec setpriv --reuid ${FETCHER} --regid ${FETCHER} --clear-groups "$0" "$@"`;
  const client = new Client({ name: 'fetcher', version: '1' });
  await client.connect(new StdioClientTransport({ command: '/bin/sh', args: ['-c', script, process.execPath, MAIN, 'holdfast', '--root', root, 'mcp'], env: { PATH: '/usr/bin:/bin' }, stderr: 'inherit' }));
  const fetch = (args: Record<string, unknown>) => client.callTool({ name: 'net.fetch', arguments: args });
  try {
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('net.fetch');
    expect(await fetch({ url: 'https://open.example/x?key=hunter2' })).toMatchObject({ structuredContent: { status: 200, body: 'hello', truncated: false } });
    expect(made).toMatchObject([{ permit: { agent: 'fetcher', host: 'open.example', port: 443, secrets: [] }, request: { method: 'GET', scheme: 'https', path: '/x?key=hunter2', headers: [], body: null } }]);
    const key = parseReceiptKey(readFileSync(paths.receiptKey, 'utf8'));
    const { permit, receipt } = made[0]! as unknown as Pick<Extract<NetAnswer, { readonly ok: true }>, 'permit' | 'receipt'>;
    expect(key.ok && isReceiptValid(receipt, key.value) && receipt.permit === netPermitDigest(permit)).toBe(true);

    expect(await fetch({ url: 'https://other.example/' })).toMatchObject({ isError: true, structuredContent: { refused: 'denied', missing: ['net:connect:other.example:443'], may_ask: ['net:connect:other.example:443'] } });
    expect(await fetch({ url: 'https://api.example/v1/x' })).toMatchObject({ isError: true, structuredContent: { refused: 'denied', rule: 'host.method' } });
    expect(await fetch({ url: 'https://open.example@evil.example/' })).toMatchObject({ isError: true, structuredContent: { refused: 'malformed' } });
    expect(made).toHaveLength(1);

    const all = await entries('--tool', 'net.fetch');
    expect(all.map(({ kind }) => kind)).toEqual(['call.intent', 'call.outcome', 'call.refused', 'call.refused', 'call.refused']);
    expect(all[0]?.data).toMatchObject({ arguments: { method: 'GET', host: 'open.example', path: '/x' }, permit_digest: receipt.permit });
    expect(all[1]?.data).toMatchObject({ status: 'ok', observed: { by: 'egress', http_status: 200 } });
    expect(JSON.stringify(all)).not.toContain('hunter2');
    expect(JSON.parse((await holdfast('usage', 'fetcher', '--json')).out)).toMatchObject({ figures: [{ spent: 0 }, { spent: 0 }, { kind: 'requests', spent: 1 }, { kind: 'bytes' }] });
    const guide = readFileSync(join(paths.agentDoors, 'fetcher', 'AGENTS.md'), 'utf8');
    expect(guide).toContain('- `open.example:443`');
  } finally {
    await client.close();
    server.close();
  }
});
