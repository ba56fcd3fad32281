// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addon } from './addon.ts';
import { bootId, bootMillis, wallTime } from './clock.ts';
import { peerOf, unifiedGroup } from './peer.ts';

let dir: string;
let server: Server;
let path: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'holdfast-peer-'));
  path = join(dir, 's');
  server = createServer();
  server.listen(path);
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

async function accepted(): Promise<Socket> {
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => undefined);
  return socket;
}

// perl is part of every Debian, can fork, and any user may run it.
const CONNECT = 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); connect(S, pack_sockaddr_un($ARGV[0])) or die;';
const CLIENT = 'const s=require("net").connect(process.argv[1]);s.on("connect",()=>console.log("connected"))';

/** Of this process, which its children have too; a kernel without a security module says EINVAL, and nothing confines. */
const LABEL = ((): string => {
  try {
    return readFileSync('/proc/self/attr/current', 'utf8').trim();
  } catch {
    return 'unconfined';
  }
})();

describe('the peer of a connection', () => {
  test('is the process that connected, in its control group', async () => {
    const child = spawn(process.execPath, ['-e', CLIENT, path], { stdio: 'ignore' });
    const socket = await accepted();
    const group = unifiedGroup(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8'));
    expect(group).toMatch(/^\//);
    expect(peerOf(socket)).toEqual({ pid: child.pid, uid: process.getuid!(), gid: process.getgid!(), cgroup: group, label: LABEL });
    child.kill('SIGKILL');
    await once(child, 'exit');
    socket.destroy();
  });

  test('that has gone is in no control group, though its child holds the connection (A17)', async () => {
    // The one that connects ends at once; what it leaves behind keeps the descriptor open.
    const child = spawn('perl', ['-e', `${CONNECT} if (fork == 0) { sleep 20 }`, path], { stdio: 'ignore', detached: true });
    const socket = await accepted();
    await once(child, 'exit');
    expect(peerOf(socket)).toEqual({ pid: 0, uid: process.getuid!(), gid: process.getgid!(), cgroup: '', label: '' });
    process.kill(-child.pid!, 'SIGKILL');
    socket.destroy();
  });

  test('of another user has that uid', async (context) => {
    if (process.getuid!() !== 0) return context.skip('only root can start a process of another user');
    spawnSync('chmod', ['777', dir, path]);
    const args = ['--reuid', '65534', '--regid', '65534', '--clear-groups', 'perl', '-e', `${CONNECT} sleep 20`, path];
    const child = spawn('setpriv', args, { stdio: 'ignore' });
    const socket = await accepted();
    expect(peerOf(socket)).toMatchObject({ pid: child.pid, uid: 65534, gid: 65534 });
    child.kill('SIGKILL');
    await once(child, 'exit');
    socket.destroy();
  });

  test('of a closed socket is not asked for', async () => {
    const child = spawn(process.execPath, ['-e', CLIENT, path], { stdio: 'ignore' });
    const socket = await accepted();
    socket.destroy();
    expect(() => peerOf(socket)).toThrow(/closed/);
    child.kill('SIGKILL');
  });
});

test('the control group is the unified one', () => {
  expect(unifiedGroup('9:name=systemd:/x\n1:cpu:/y\n0::/agents.slice/a\n')).toBe('/agents.slice/a');
  expect(unifiedGroup('1:cpu:/y\n')).toBeNull();
});

test('the addon says which error it was, and takes only what is a descriptor', () => {
  expect(() => addon().peerCred(1_000_000)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'getsockopt(SO_PEERCRED)' }));
  for (const wrong of [-1, 1.5, NaN, '0', null, undefined, 2 ** 31]) {
    expect(() => addon().peerCred(wrong as number), String(wrong)).toThrow(TypeError);
  }
  expect(() => addon().notify('', 'x')).toThrow(TypeError);
  expect(() => addon().notify(join(dir, 'none'), 'x')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});

test('the boot clock runs with the kernel\'s', () => {
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  expect(Math.abs(bootMillis() - uptime)).toBeLessThan(1000);
  expect(Number.isSafeInteger(bootMillis())).toBe(true);
  expect(bootId()).toMatch(/^[0-9a-f-]{36}$/);
  expect(wallTime()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});
