// SPDX-License-Identifier: Apache-2.0
import { Client, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/client';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DeclaredAgent } from '../config/declared.ts';
import type { CallMeta } from '../door/mcp-door.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { AgentId, AgentName, PackName } from '../identity/ids.ts';
import type { ToolReply } from '../tools/tool.ts';
import { fsRead } from '../tools/fs-read.ts';
import { serveAgentDoor, type AgentDoor, type DoorHandlers, type DoorTimes } from './agent-door.ts';
import { openAgentDoors } from './agent-doors.ts';
import { unifiedGroup } from './peer.ts';

// The real socket, the real kernel's word about peers. As root it also shows other users and other control groups.
const root = process.getuid!() === 0;
const hierarchy = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((dir) => existsSync(join(dir, 'cgroup.procs'))) ?? '';
const OTHER_UID = 65_533;

let group = unifiedGroup(readFileSync('/proc/self/cgroup', 'utf8')) ?? '';
let made = '';
let dir = '';
let agent: DeclaredAgent;
const doors: AgentDoor[] = [];
const sockets: Socket[] = [];

beforeAll(() => {
  if (group !== '/' || !root) return;
  // A container may start everything in the root group, which no declaration can name.
  made = join(hierarchy, `holdfast-door-test-${process.pid}`);
  mkdirSync(made);
  writeFileSync(join(made, 'cgroup.procs'), String(process.pid));
  group = unifiedGroup(readFileSync('/proc/self/cgroup', 'utf8')) ?? '';
});

afterAll(async () => {
  if (made === '') return;
  const members = readFileSync(join(made, 'cgroup.procs'), 'utf8').trim().split('\n');
  for (const pid of members) writeFileSync(join(hierarchy, 'cgroup.procs'), pid);
  // Processes that were killed are in it until the kernel has let go of them.
  await vi.waitFor(() => rmdirSync(made), 10_000);
});

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'door-'));
  agent = {
    name: 'a' as AgentName,
    pack: 'demo' as PackName,
    id: 'agent.demo.demo.v1' as AgentId,
    type: 'task',
    mode: 'mediated',
    uid: process.getuid!(),
    program: null,
    start: 'manual',
    capabilities: [],
    ceiling: { allow: [], deny: [] },
    root: 'image',
  home: null,
  profile: 'holdfast-agent-task',
  containerLabel: null, net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
    limits: { timeoutMs: 1000, memoryMax: 1, tasksMax: 1, outputMax: 1 },
    workspace: '/nonexistent',
    peers: { agent: group, remote: '/nonexistent' },
    peerLabels: { agent: 'unconfined', remote: 'unconfined' },
    callLabel: '',
  };
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const door of doors.splice(0)) door.close();
  await wait(20);
  rmSync(dir, { recursive: true, force: true });
});

type Seen = {
  readonly opened: { readonly via: string; readonly uid: number }[];
  readonly refused: [string, number][];
  readonly violations: [string, number][];
  closed: number;
  call: (meta: CallMeta) => Promise<ToolReply>;
};

let confined: Result<null> = accept(null);

function handlersOf(seen: Seen): DoorHandlers {
  return {
    confined: () => confined,
    open: (peer) => {
      seen.opened.push(peer);
      return {
        instructions: () => '',
        listTools: () => [fsRead],
        call: (_tool, _args, meta) => seen.call(meta),
        onClient: () => {},
        onViolation: (why, count) => seen.violations.push([why, count]),
        onFault: (error) => {
          throw error;
        },
        onClosed: () => {
          seen.closed += 1;
        },
      };
    },
    onRefused: (why, count) => seen.refused.push([why, count]),
  };
}

async function serve(times: Partial<DoorTimes> = {}): Promise<{ readonly door: AgentDoor; readonly seen: Seen; readonly path: string }> {
  const seen: Seen = { opened: [], refused: [], violations: [], closed: 0, call: async () => ({ text: 'done', data: {}, isError: false }) };
  const all = { maxSessions: 8, openingMs: 60_000, lineMs: 10_000, unreadMs: 60_000, tickMs: 5000, ...times };
  const door = await serveAgentDoor(agent, dir, handlersOf(seen), '0', all);
  doors.push(door);
  return { door, seen, path: join(dir, 'mcp.sock') };
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path, () => resolve(socket));
    sockets.push(socket);
    socket.on('error', reject);
  });
}

/** The lines that come, and when the other side ended. */
function listen(socket: Socket): { readonly lines: string[]; readonly ended: Promise<void> } {
  const lines: string[] = [];
  let rest = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return { lines, ended: new Promise((resolve) => socket.on('close', () => resolve())) };
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it did not happen within ten seconds');
    await wait(5);
  }
}

async function client(path: string): Promise<Client> {
  const socket = await open(path);
  let rest = '';
  const transport: Transport = {
    start: async () => {
      socket.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop() ?? '';
        for (const part of parts) transport.onmessage?.(JSON.parse(part) as JSONRPCMessage);
      });
      socket.on('close', () => transport.onclose?.());
    },
    send: async (message) => void socket.write(`${JSON.stringify(message)}\n`),
    close: async () => void socket.end(),
  };
  const made = new Client({ name: 'native', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await made.connect(transport);
  return made;
}

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
const INITIALIZE = `${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: HELLO })}\n`;

test('the agent’s own program is admitted and served, known by the kernel’s word alone', async () => {
  const { seen, path, door } = await serve();
  const agentClient = await client(path);
  expect((await agentClient.listTools()).tools.map((tool) => tool.name)).toStrictEqual(['fs.read']);
  expect(await agentClient.callTool({ name: 'fs.read', arguments: {} })).toMatchObject({ content: [{ text: 'done' }] });
  expect(seen.opened).toMatchObject([{ via: 'agent', uid: agent.uid, pid: process.pid, cgroup: group }]);
  expect(door.sessions()).toBe(1);
  await agentClient.close();
  await until(() => seen.closed === 1);
  expect(door.sessions()).toBe(0);
});

describe('the end of a connection', () => {
  const calls = (count: number): string =>
    Array.from({ length: count }, (_, i) => `{"jsonrpc":"2.0","id":${i + 1},"method":"tools/call","params":{"name":"fs.read"}}\n`).join('');

  /** Calls that run until they are cancelled, or let go. */
  function running(seen: Seen): { readonly begun: () => number; readonly cancelled: () => number; readonly letGo: () => void } {
    let begun = 0;
    let cancelled = 0;
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    seen.call = async ({ signal }) => {
      begun += 1;
      const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(void (cancelled += 1))));
      await Promise.race([gate, aborted]);
      return { text: 'done', data: {}, isError: false };
    };
    return { begun: () => begun, cancelled: () => cancelled, letGo: go };
  }

  test('a client that has only finished writing gets all its answers, and then the end', async () => {
    const { seen, path } = await serve();
    const { begun, cancelled, letGo } = running(seen);
    const socket = await open(path);
    const { lines, ended } = listen(socket);
    socket.end(INITIALIZE + calls(10));
    await until(() => begun() === 10);
    // Long enough that it would have been taken for gone.
    await wait(600);
    expect([cancelled(), seen.closed]).toEqual([0, 0]);
    letGo();
    await ended;
    const answered = lines.map((line) => JSON.parse(line) as { id: number; result: { content?: { text: string }[] } });
    expect(answered.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(answered.filter(({ result }) => result.content?.[0]?.text === 'done')).toHaveLength(10);
    await until(() => seen.closed === 1);
  });

  test('a client that is gone has its running calls cancelled', async () => {
    const { seen, path } = await serve();
    const { begun, cancelled } = running(seen);
    // Another process, so that it is the kernel that closes, at the end by SIGKILL.
    const script = `const s=require('net').connect(process.argv[1]);s.write(process.argv[2])`;
    const child = spawn(process.execPath, ['-e', script, path, INITIALIZE + calls(3)], { stdio: 'ignore' });
    await until(() => begun() === 3);
    expect(cancelled()).toBe(0);
    child.kill('SIGKILL');
    await until(() => cancelled() === 3 && seen.closed === 1);
  });

  test('so has one that finished writing and is gone only later', async () => {
    const { seen, path } = await serve();
    const { begun, cancelled } = running(seen);
    const script = `const s=require('net').connect({path:process.argv[1],allowHalfOpen:true});s.end(process.argv[2]);setTimeout(()=>{},60000)`;
    const child = spawn(process.execPath, ['-e', script, path, INITIALIZE + calls(3)], { stdio: 'ignore' });
    await until(() => begun() === 3);
    await wait(400);
    expect([cancelled(), seen.closed]).toEqual([0, 0]);
    child.kill('SIGKILL');
    await until(() => cancelled() === 3 && seen.closed === 1);
  });

  test('a cancellation by message reaches its own call and no other', async () => {
    const { seen, path } = await serve();
    const { begun, cancelled, letGo } = running(seen);
    const socket = await open(path);
    const { lines } = listen(socket);
    socket.write(INITIALIZE + calls(2));
    await until(() => begun() === 2);
    socket.write('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n');
    await until(() => cancelled() === 1);
    letGo();
    await until(() => lines.length === 2);
    expect(lines.map((line) => (JSON.parse(line) as { id: number }).id)).toEqual([0, 2]);
  });
});

describe('who is not the agent is refused before a byte is read (A17, B02)', () => {
  test('another uid is declared', async () => {
    agent = { ...agent, uid: agent.uid + 1 };
    const { seen, path, door } = await serve();
    const socket = await open(path);
    const { lines, ended } = listen(socket);
    socket.write(INITIALIZE);
    await ended;
    expect(lines).toStrictEqual([]);
    door.close();
    expect(seen.opened).toStrictEqual([]);
    expect(seen.refused).toStrictEqual([[expect.stringContaining(`uid ${process.getuid!()} is not agent a`), 1]]);
  });

  test('another control group is declared', async () => {
    agent = { ...agent, peers: { agent: `${group}x`, remote: `${group}/deeper` } };
    const { seen, path, door } = await serve();
    const socket = await open(path);
    await listen(socket).ended;
    door.close();
    expect(seen.opened).toStrictEqual([]);
    expect(seen.refused).toStrictEqual([[expect.stringContaining('control group'), 1]]);
  });

  test('another profile is declared than the one that the kernel shows (R33)', async () => {
    agent = { ...agent, peerLabels: { agent: 'holdfast-agent-task (enforce)', remote: 'unconfined' } };
    const { seen, path, door } = await serve();
    const socket = await open(path);
    await listen(socket).ended;
    door.close();
    expect(seen.opened).toStrictEqual([]);
    expect(seen.refused).toStrictEqual([[expect.stringMatching(/runs as ".+" and not as holdfast-agent-task \(enforce\)/), 1]]);
  });

  test('the kernel does not hold the profiles of the agent', async () => {
    confined = refuse('profile holdfast-call-task is not loaded');
    const { seen, path, door } = await serve();
    await listen(await open(path)).ended;
    confined = accept(null);
    // The door stands open again as soon as they hold.
    const socket = await open(path);
    const { lines } = listen(socket);
    socket.write(INITIALIZE);
    await expect.poll(() => lines.length).toBe(1);
    door.close();
    expect(seen.refused).toStrictEqual([['profile holdfast-call-task is not loaded', 1]]);
    expect(seen.opened).toHaveLength(1);
  });

  /** Connects and says `initialize`; exits 0 when answered, 3 when cut off, 4 with the errno when it cannot connect. */
  const PROBE = `
    const socket = require('net').connect(process.argv[1], () => socket.write(process.argv[2]));
    socket.on('data', () => process.exit(0));
    socket.on('close', () => process.exit(3));
    socket.on('error', (error) => { console.log(error.code); process.exit(error.syscall === 'connect' ? 4 : 3); });`;

  function probe(path: string, uid: number, into: string): Promise<{ readonly code: number | null; readonly said: string }> {
    const become = 'setpriv --reuid "$1" --regid "$1" --clear-groups --';
    const script = `echo $$ > "$1/cgroup.procs" && shift && exec ${become} "$2" -e "$3" "$4" "$5"`;
    const args = ['-c', script, 'sh', into, String(uid), process.execPath, PROBE, path, INITIALIZE];
    const child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, said: said.trim() })));
  }

  test.skipIf(!root)('another user, by the socket’s mode and, were that wider, by the kernel’s word', async () => {
    chmodSync(dir, 0o755);
    const { seen, path, door } = await serve();
    const here = join(hierarchy, group);
    expect(await probe(path, process.getuid!(), here)).toStrictEqual({ code: 0, said: '' });
    expect(await probe(path, OTHER_UID, here)).toStrictEqual({ code: 4, said: 'EACCES' });
    chmodSync(path, 0o666);
    expect((await probe(path, OTHER_UID, here)).code).toBe(3);
    door.close();
    expect(seen.opened).toHaveLength(1);
    expect(seen.refused).toStrictEqual([[`uid ${OTHER_UID} is not agent a`, 1]]);
  });

  test.skipIf(!root)('the same user in another control group, as a call of the agent is', async () => {
    agent = { ...agent, peers: { agent: `${group}/program`, remote: '/nonexistent' } };
    const [program, call] = [join(hierarchy, group, 'program'), join(hierarchy, group, 'call')];
    for (const made of [program, call]) mkdirSync(made, { recursive: true });
    try {
      const { seen, path, door } = await serve();
      expect((await probe(path, process.getuid!(), program)).code).toBe(0);
      expect((await probe(path, process.getuid!(), call)).code).toBe(3);
      door.close();
      expect(seen.opened).toHaveLength(1);
      expect(seen.refused).toStrictEqual([[expect.stringMatching(/control group .*call is neither/), 1]]);
    } finally {
      for (const made of [program, call]) rmdirSync(made);
    }
  });
});

describe('the socket', () => {
  test('is reachable for owner and group only, and takes the place of a stale one', async () => {
    const first = await serve();
    const before = lstatSync(first.path).ino;
    // As after a kill: the file stays and nobody answers.
    const second = await serve();
    const stat = lstatSync(second.path);
    expect(stat.isSocket()).toBe(true);
    expect(stat.mode & 0o777).toBe(0o660);
    expect(stat.ino).not.toBe(before);
    expect(readdirSync(dir)).toStrictEqual(['mcp.sock']);
    await client(second.path);
    expect(second.seen.opened).toHaveLength(1);
    expect(first.seen.opened).toHaveLength(0);
  });

  test('does not replace what is no socket', async () => {
    writeFileSync(join(dir, 'mcp.sock'), 'mine');
    await expect(serve()).rejects.toThrow('not a socket');
    expect(readFileSync(join(dir, 'mcp.sock'), 'utf8')).toBe('mine');
  });

  test('goes with its door, and so do its sessions', async () => {
    const { door, path, seen } = await serve();
    const socket = await open(path);
    const { ended } = listen(socket);
    await until(() => seen.opened.length === 1);
    door.close();
    await ended;
    expect(existsSync(path)).toBe(false);
  });

  test('doors follow the declarations: added, changed, removed; one that cannot open leaves the others', async () => {
    const seen: Seen = { opened: [], refused: [], violations: [], closed: 0, call: async () => ({ text: '', data: {}, isError: false }) };
    const faults: string[] = [];
    const all = openAgentDoors(dir, '7.8.9', () => handlersOf(seen), (failed) => faults.push(failed.name));
    try {
      for (const name of ['a', 'b']) mkdirSync(join(dir, name));
      const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ ...agent, name: name as AgentName }));
      await all.update([a!, b!, c!]);
      expect(faults).toStrictEqual(['c']);
      const kept = listen(await open(join(dir, 'a', 'mcp.sock')));
      const changed = listen(await open(join(dir, 'b', 'mcp.sock')));
      await until(() => seen.opened.length === 2);
      const inode = lstatSync(join(dir, 'a', 'mcp.sock')).ino;
      await all.update([a!, { ...b!, capabilities: ['fs:read:/x'] }]);
      await changed.ended;
      expect(lstatSync(join(dir, 'a', 'mcp.sock')).ino).toBe(inode);
      expect(all.of('a')?.sessions()).toBe(1);
      expect(existsSync(join(dir, 'b', 'mcp.sock'))).toBe(true);
      await all.update([{ ...b!, capabilities: ['fs:read:/x'] }]);
      await kept.ended;
      expect(existsSync(join(dir, 'a', 'mcp.sock'))).toBe(false);
      expect(all.of('a')).toBe(null);
    } finally {
      all.close();
    }
  });
});

describe('a hostile peer costs little and hurts nobody else', () => {
  test('at most eight sessions; one that ends makes room', async () => {
    const { seen, path, door } = await serve();
    const first = await open(path);
    for (let i = 0; i < 7; i += 1) await open(path);
    await until(() => door.sessions() === 8);
    await listen(await open(path)).ended;
    expect(seen.opened).toHaveLength(8);
    first.destroy();
    await until(() => door.sessions() === 7);
    await client(path);
    expect(door.sessions()).toBe(8);
    door.close();
    expect(seen.refused).toStrictEqual([['more than 8 sessions', 1]]);
  });

  test('a line of 100 MB is cut at 1 MiB (B05)', async () => {
    const { seen, path } = await serve();
    const socket = await open(path);
    const { lines, ended } = listen(socket);
    const before = process.memoryUsage().rss;
    const chunk = Buffer.alloc(65_536, 'a');
    let taken = 0;
    socket.on('error', () => {});
    while (!socket.destroyed && taken < 100 * 1_048_576) {
      if (!socket.write(chunk)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended]);
      taken += chunk.length;
    }
    await ended;
    expect(taken).toBeLessThan(4 * 1_048_576);
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1_048_576);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ id: null, error: { code: -32700 } }]);
    await until(() => seen.closed === 1);
    expect(seen.violations).toStrictEqual([['malformed message', 1]]);
  });

  test.each([
    ['no JSON', '{"jsonrpc":\n'],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a])],
    ['overlong UTF-8', Buffer.from([0x22, 0xc0, 0xaf, 0x22, 0x0a])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22, 0x0a])],
    ['10 000 levels', `${'['.repeat(10_000)}\n`],
    ['a key twice', '{"id":1,"id":2}\n'],
  ])('%s gets a parse error and ends the session, not the door', async (_, bytes) => {
    const { seen, path } = await serve();
    const socket = await open(path);
    const { lines, ended } = listen(socket);
    socket.write(bytes);
    await ended;
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ id: null, error: { code: -32700 } }]);
    expect(seen.violations).toStrictEqual([['malformed message', 1]]);
    expect(await (await client(path)).callTool({ name: 'fs.read' })).toMatchObject({ isError: false });
  });

  test('one byte now and then ends at the line’s deadline; another session is served meanwhile (B04)', async () => {
    const { seen, path } = await serve({ lineMs: 300 });
    const slow = await open(path);
    slow.write(INITIALIZE);
    const { ended } = listen(slow);
    const state = { over: false };
    void ended.then(() => (state.over = true));
    const quick = await client(path);
    const start = Date.now();
    while (!state.over) {
      slow.write('{');
      await wait(50);
      if (!state.over) expect(await quick.callTool({ name: 'fs.read' })).toMatchObject({ isError: false });
      expect(Date.now() - start).toBeLessThan(5000);
    }
    expect(Date.now() - start).toBeGreaterThan(250);
    await until(() => seen.closed === 1);
    expect(seen.violations).toStrictEqual([['line too slow', 1]]);
    // Whole lines, however far apart, are no offence.
    await wait(400);
    expect(await quick.callTool({ name: 'fs.read' })).toMatchObject({ isError: false });
  });

  test('a peer that connects and says nothing is sent away', async () => {
    const { seen, path } = await serve({ openingMs: 200 });
    await listen(await open(path)).ended;
    expect(seen.violations).toStrictEqual([['line too slow', 1]]);
  });

  test('a peer that never reads is not read from, and cut off (B04)', async () => {
    const { seen, path } = await serve({ unreadMs: 500 });
    seen.call = async () => ({ text: 'x'.repeat(200_000), data: {}, isError: false });
    const deaf = await open(path);
    deaf.on('error', () => {});
    deaf.pause();
    deaf.write(INITIALIZE);
    for (let id = 1; id <= 16; id += 1) deaf.write(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"fs.read"}}\n`);
    const other = await client(path);
    expect(await other.callTool({ name: 'fs.read' })).toMatchObject({ isError: false });
    await until(() => seen.closed === 1);
    expect(seen.violations).toStrictEqual([['replies not read', 1]]);
    expect(await other.callTool({ name: 'fs.read' })).toMatchObject({ isError: false });
  });

  test('a flood is slowed and counted in one row, while another session is served (B22)', async () => {
    const { seen, path, door } = await serve();
    const flood = await open(path);
    flood.on('error', () => {});
    flood.resume();
    flood.write(INITIALIZE);
    let id = 1;
    let sent = 0;
    const pour = setInterval(() => {
      const pings = Array.from({ length: 500 }, () => `{"jsonrpc":"2.0","id":${(id += 1)},"method":"ping"}\n`);
      if (!flood.writableNeedDrain) flood.write(pings.join(''));
      sent = id;
    }, 5);
    try {
      const other = await client(path);
      const times: number[] = [];
      for (let i = 0; i < 30; i += 1) {
        const start = performance.now();
        await other.callTool({ name: 'fs.read' });
        times.push(performance.now() - start);
        await wait(20);
      }
      expect(times.toSorted((a, b) => a - b)[27]!).toBeLessThan(250);
    } finally {
      clearInterval(pour);
    }
    flood.destroy();
    await until(() => seen.closed === 1);
    expect(sent).toBeGreaterThan(2000);
    expect(seen.violations).toStrictEqual([['too many messages', expect.any(Number)]]);
    // The lines that waited, at fifty a second; the others wait in the peer's own buffers.
    expect(seen.violations[0]![1]).toBeGreaterThan(20);
    expect(seen.violations[0]![1]).toBeLessThan(1000);
    door.close();
  });

  test('a new connection does not begin with a new allowance', async () => {
    const { path, door } = await serve();
    const pings = (from: number, count: number): string =>
      Array.from({ length: count }, (_, i) => `{"jsonrpc":"2.0","id":${from + i},"method":"ping"}\n`).join('');
    const first = await open(path);
    first.resume();
    first.write(INITIALIZE + pings(1, 210));
    await wait(100);
    first.destroy();
    const start = performance.now();
    const second = await open(path);
    const { lines } = listen(second);
    second.write(INITIALIZE + pings(1, 25));
    await until(() => lines.length === 26);
    expect(performance.now() - start).toBeGreaterThan(400);
    door.close();
  });

  test('what is pipelined waits and is answered, also after the client has finished writing', async () => {
    const { path, seen, door } = await serve({ lineMs: 300 });
    const socket = await open(path);
    const { lines, ended } = listen(socket);
    const pings = Array.from({ length: 230 }, (_, i) => `{"jsonrpc":"2.0","id":${i + 1},"method":"ping"}\n`);
    // Half a line at the end of the burst: that it is not read for a while is not the peer's slowness.
    socket.write(`${INITIALIZE}${pings.join('')}{"jsonrpc":"2.0",`);
    await wait(200);
    socket.end('"id":"last","method":"ping"}\n');
    await ended;
    expect(lines).toHaveLength(232);
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ id: 'last', result: {} });
    expect(seen.violations.map(([why]) => why)).toStrictEqual(['too many messages']);
    door.close();
  });

  test('connections opened and dropped in a row leave nothing behind', async () => {
    const { seen, path, door } = await serve();
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    for (let i = 0; i < 200; i += 1) {
      const socket = connectSocket(path);
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('close', resolve).once('connect', () => socket.destroy()));
    }
    await until(() => door.sessions() === 0 && seen.closed === seen.opened.length);
    expect(descriptors()).toBeLessThanOrEqual(before + 2);
    door.close();
    const refused = seen.refused.reduce((sum, [, count]) => sum + count, 0);
    expect(seen.opened.length + refused).toBe(200);
    expect(seen.refused.map(([why]) => why)).toContain('too many connections a second');
  });
});

describe('lines made to exhaust the heap (B05, B06)', () => {
  const role = new URL('./testdata/door-role.ts', import.meta.url);
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  const call = (args: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fs.read","arguments":${args}}}\n`;
  const MIB = 1_048_576;

  test.each([
    ['1 MiB of small arrays', () => call(`{"path":[${'[[0]],'.repeat((MIB - 200) / 6)}0]}`)],
    ['1 MiB of empty objects', () => call(`{"path":[${'{},'.repeat((MIB - 200) / 3)}0]}`)],
    ['the most values that are read', () => call(`{"path":[${'[0],'.repeat(1990)}0]}`).replace('"id":1', `"id":${Math.floor(Math.random() * 1e9)}`)],
  ])('%s, from eight sessions for three seconds, in 96 MiB; another agent is answered', async (_, hostile) => {
    const names = ['a', 'b'].map((name) => join(dir, name));
    for (const name of names) mkdirSync(name);
    const child = fork(role, [JSON.stringify(names.map((name) => [agent, name]))], { execArgv: ['--max-old-space-size=96'], silent: true });
    children.push(child);
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await Promise.race([new Promise((resolve) => child.once('message', resolve)), gone]);
    // What a line costs by itself, on this machine as busy as it is: with eight sessions that many can lie before another's question.
    const alone: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const begun = performance.now();
      const socket = connectSocket(join(names[0]!, 'mcp.sock'));
      const answered = new Promise<void>((resolve) => socket.on('error', () => {}).once('close', () => resolve()).on('data', (bytes) => bytes.includes('"id":') && !bytes.includes('serverInfo') && resolve()));
      socket.write(INITIALIZE);
      socket.write(hostile());
      await Promise.race([answered, wait(2000)]);
      alone.push(performance.now() - begun);
      socket.destroy();
    }
    const end = performance.now() + 3000;
    let sent = 0;
    async function attack(): Promise<void> {
      while (performance.now() < end && child.exitCode === null && child.signalCode === null) {
        const socket = connectSocket(join(names[0]!, 'mcp.sock'));
        sockets.push(socket);
        socket.on('error', () => {}).resume();
        const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
        socket.write(INITIALIZE);
        while (!socket.destroyed && performance.now() < end) {
          sent += 1;
          if (!socket.write(hostile())) await Promise.race([closed, new Promise((resolve) => socket.once('drain', resolve)), wait(500)]);
          await wait(1);
        }
        socket.destroy();
        await wait(50);
      }
    }
    const attacks = Array.from({ length: 8 }, attack);
    const other = await client(join(names[1]!, 'mcp.sock'));
    const times: number[] = [];
    while (performance.now() < end) {
      const start = performance.now();
      expect((await other.listTools()).tools).toHaveLength(1);
      times.push(performance.now() - start);
      await wait(50);
    }
    await Promise.all(attacks);
    expect([child.exitCode, child.signalCode]).toStrictEqual([null, null]);
    expect(sent).toBeGreaterThan(16);
    const usual = times.toSorted((x, y) => x - y)[Math.floor(times.length * 0.9)]!;
    expect(usual).toBeLessThan(8 * Math.max(...alone));
  }, 20_000);
});
