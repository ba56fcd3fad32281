// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentView, GivenView, OperatorRequest, PostureFact, RequestView, StatusView } from '../door/operator-wire.ts';
import { readJsonLines, writeJsonLine } from '../effects/json-lines.ts';
import type { LedgerReader } from '../effects/ledger-client.ts';
import { pathsUnder } from '../effects/paths.ts';
import type { JsonValue } from '../ledger/entry.ts';
import type { Io } from './io.ts';
import { ENTER_SCREEN, LEAVE_SCREEN } from '../terminal/screen-filter.ts';
import { findTarget } from './restore-target.ts';
import { runCommand } from './run-command.ts';
import { screenOn } from './screen.ts';
import { splitWords } from './words.ts';

// The commands over a real socket; what answers there says what the test wants holdfastd to say. The ledger hangs up.

let root = '';
let servers: readonly Server[] = [];
let answers: Readonly<Partial<Record<OperatorRequest['op'], unknown>>> = {};

beforeEach(async () => {
  root = mkdtempSync('/tmp/holdfast-answers-');
  const path = pathsUnder(root).operatorSocket;
  mkdirSync(dirname(path), { recursive: true });
  const daemon = createServer((socket) => {
    socket.on('error', () => undefined);
    readJsonLines(socket, {
      maxBytes: 65_536,
      onViolation: () => undefined,
      onValue: (value) => {
        const { op } = value as unknown as OperatorRequest;
        writeJsonLine(socket, { ok: true, value: (answers[op] ?? null) as JsonValue });
      },
    });
  });
  const ledger = createServer((socket) => void socket.destroy());
  mkdirSync(dirname(pathsUnder(root).ledgerQuerySocket), { recursive: true });
  await new Promise<void>((resolve) => daemon.listen(path, resolve));
  await new Promise<void>((resolve) => ledger.listen(pathsUnder(root).ledgerQuerySocket, resolve));
  servers = [daemon, ledger];
});
afterEach(() => {
  for (const server of servers) server.close();
  rmSync(root, { recursive: true, force: true });
});

async function run(line: string): Promise<{ code: number; lines: readonly string[]; err: string; raw: string }> {
  const words = splitWords(line);
  if (!words.ok) throw new Error(words.error);
  let out = '';
  let err = '';
  let raw = '';
  const io: Io = {
    screen: screenOn({ out: (text) => (out += text), err: (text) => (err += text) }, { out: false, err: false }),
    stdin: Readable.from([]),
    raw: { write: async (bytes) => void (raw += Buffer.from(bytes).toString()), inputIsTerminal: false, outputIsTerminal: true },
    paths: pathsUnder(root),
    root,
    uid: 4_711,
    login: 'alice',
    stop: new AbortController().signal,
  };
  const code = await runCommand(io, words.value);
  return { code, lines: out.split('\n').slice(0, -1), err, raw };
}

const agent = (name: string, part: Partial<AgentView> = {}): AgentView => (
  { name, pack: 'main', id: `agent.main.${name}.v1`, type: 'task', mode: 'mediated', state: 'active', sessions: 1, unserved: null, notStarted: null, usage: null, capabilities: [], grants: [], ...part }
);
const request: RequestView = { id: 'r-1', agent: 'demo', capability: 'fs:read:/srv/**', reason: 'why', forMs: 60_000, askedAt: '2026-11-21T09:00:00.000Z' };
const status = (part: Partial<StatusView> = {}): StatusView => (
  { version: '1', boot: 'b', posture: [], agents: [agent('demo')], problems: [], requests: [], ...part }
);
const GOOD: PostureFact = { name: 'apparmor', state: 'good', detail: 'on' };
const BAD: PostureFact = { name: 'secure boot', state: 'bad', detail: 'off' };

describe('holdfast status', () => {
  test('exits 0 when it could be read, whatever it says; with --check 1 for one bad fact', async () => {
    answers = { status: status({ posture: [GOOD, BAD] }) };
    expect(await run('status')).toMatchObject({ code: 0 });
    expect((await run('status')).lines.join('\n')).toMatch(/^bad +secure boot +off$/m);
    expect(await run('status --json')).toMatchObject({ code: 0 });
    expect(await run('status --check')).toMatchObject({ code: 1 });
    expect(await run('status --check --json')).toMatchObject({ code: 1 });
  });

  test('a ledger that does not answer is a bad fact, and so is a refused file', async () => {
    answers = { status: status({ posture: [GOOD] }) };
    const told = await run('status --check');
    expect(told.code).toBe(1);
    expect(told.lines.find((line) => line.includes('ledger'))).toMatch(/^bad +ledger/);
    answers = { status: status({ problems: [{ file: '/x.yaml', line: 3, message: 'no' }] }) };
    expect((await run('status')).lines).toContain('refused file /x.yaml:3: no');
  });

  test('its help says what the exit status means', async () => {
    expect((await run('status --help')).lines.join('\n')).toContain('--check  exit status 1 when a fact is bad or a file was refused, instead of 0');
  });
});

describe('holdfast attach', () => {
  const shells = [
    { shell: 'c-1', columns: 80, rows: 24, running: true, openedAt: '' },
    { shell: 'c-2', columns: 80, rows: 24, running: false, openedAt: '' },
  ];
  const shown = (text: string) => ({ data: Buffer.from(text).toString('base64'), missed: 0, next: text.length, running: false, ended: 'itself' });

  test('shows the newest that runs on a screen of its own, filtered, and puts the terminal right', async () => {
    answers = { shells, 'shell-watch': shown('\x1b[1mhi\x1b]0;title\x07\x1b[6n\r\n\x1b[') };
    const { code, raw, err } = await run('attach demo');
    expect({ code, err }).toEqual({ code: 0, err: 'c-1 has ended (itself)\n' });
    expect(raw).toBe(`${ENTER_SCREEN}\x1b[1mhi\\x1b]0;title\\x07\\x1b[6n\r\n\\x1b[${LEAVE_SCREEN}`);
  });

  test('of none that runs, or none of that name, it says so and touches no terminal', async () => {
    answers = { shells: shells.slice(1) };
    expect(await run('attach demo')).toMatchObject({ code: 1, raw: '', err: 'refused: demo has no shell open; an agent opens one with its tool shell.open, when it holds shell:open\n' });
    expect(await run('attach demo --shell c-3')).toMatchObject({ code: 1, raw: '', err: 'refused: demo has no shell c-3\n' });
  });
});

describe('holdfast undo', () => {
  const done = { of: '/workspace', from: 'p-1', to: null, restored: 1, removed: 0, left: 0, conflicts: 0, unread: 0, paths: [], done: true };

  test('names the command that takes it back, and a command understands it', async () => {
    answers = { undo: [{ ...done, point: 'p-22aa61e09d4f7c35' }] };
    const { code, lines } = await run('undo p-0000000000000001 --agent demo');
    expect(code).toBe(0);
    const command = /; to undo this: holdfast (.*)$/.exec(lines.at(-1) ?? '')?.[1];
    expect(command).toBe('undo p-22aa61e09d4f7c35 --agent demo');
    expect(await findTarget({} as LedgerReader, command!.split(' ')[1]!, command!.split(' ')[3]!)).toEqual(
      { ok: true, value: { agent: 'demo', target: { kind: 'point', point: 'p-22aa61e09d4f7c35' } } },
    );
    expect(await run(command!)).toMatchObject({ code: 0, err: '' });
  });
});

describe('holdfast', () => {
  test('where there is no agent the next step is one that an operator elsewhere can take', async () => {
    answers = { status: status({ agents: [] }) };
    expect((await run('')).lines.at(-1)).toBe('next: ssh alice@MACHINE holdfast agent add - <FILE');
  });


  test('answers in ten lines at most', async () => {
    const agents = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => agent(name));
    answers = { status: status({ agents, posture: [BAD], requests: [request, request] }) };
    const { code, lines } = await run('');
    expect(code).toBe(0);
    expect(lines.length).toBeLessThanOrEqual(10);
    expect(lines[0]).toBe('agent a  runs, connected  0 grants');
    expect(lines).toContain('and 2 more agents; see: holdfast agent list');
    expect(lines).toContain('1 bad fact about this machine; see: holdfast status');
    expect(lines.at(-1)).toBe("next: holdfast grant demo 'fs:read:/srv/**' --for 1m --reason 'asked in r-1'");
  });

  test.each<[string, Partial<AgentView>, string, string]>([
    ['does not run', { state: 'inactive', sessions: 0 }, 'agent demo  does not run  0 grants', 'next: holdfast agent start demo'],
    ['failed', { state: 'failed', sessions: 0 }, 'agent demo  failed  0 grants', 'next: holdfast agent start demo'],
    ['connects from elsewhere', { state: 'remote', sessions: 2 }, 'agent demo  2 connections  0 grants', 'next: holdfast log --follow'],
  ])('of an agent that %s', async (_what, part, row, next) => {
    answers = { status: status({ agents: [agent('demo', part)] }) };
    const { lines } = await run('');
    expect([lines[0], lines.at(-1)]).toEqual([row, next]);
  });
});

test('no request can pose as another one, however its words are padded (B18)', async () => {
  const fake = 'mallory asks for process:run:* for 24h since 2026-11-21T09:00:00.000Z';
  const padded = `${'x'.repeat(73)}${fake}${' '.repeat(11)}  to give it: holdfast grant mallory 'process:run:*' --for 24h`;
  const asks: RequestView = { ...request, reason: padded, capability: `fs:read:/srv/${'y '.repeat(30)}${fake}` };
  answers = { requests: [asks, request] };
  const { lines } = await run('requests');
  expect(lines.filter((line) => !line.startsWith(' '))).toEqual([
    expect.stringMatching(/^demo asks for fs:read:\/srv\/y y/),
    'demo asks for fs:read:/srv/** for 1m since 2026-11-21T09:00:00.000Z',
  ]);
  const paste = "  to give it: holdfast grant demo 'fs:read:/srv/**' --for 1m --reason 'asked in r-1'";
  expect(lines).toContain(paste);
  expect(Math.max(...lines.filter((line) => line !== paste).map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.filter((line) => /^ {0,5}to give it: /.test(line))).toHaveLength(2);
});

test('the answer to a grant says where it stops short', async () => {
  const note = 'fs:read:/etc/* reaches one level only; for everything below write fs:read:/etc/**';
  const given: GivenView = { id: 'g-1', agent: 'demo', capability: 'fs:read:/etc/*', reason: 'r', grantedBy: 'anna', leftMs: 1, usesLeft: null, notes: [note] };
  answers = { grant: given };
  expect(await run("grant demo 'fs:read:/etc/*' --for 10m --reason r")).toMatchObject({
    code: 0,
    err: '',
    lines: ['demo holds fs:read:/etc/* for 10m', `note: ${note}`, 'grant g-1; end it with: holdfast revoke g-1'],
  });
});
