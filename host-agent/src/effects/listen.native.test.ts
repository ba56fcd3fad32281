// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { listenOn } from './listen.ts';

const folder = mkdtempSync(join(tmpdir(), 'hf-listen-'));
afterAll(() => rmSync(folder, { recursive: true }));

function readAll(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

test('without systemd the socket is made, for the own user only, in a folder that is made too', async () => {
  const path = join(folder, 'run/here/s');
  const server = await listenOn('any', path);
  server.on('connection', (socket) => socket.on('error', () => {}).end('hello'));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await readAll(path)).toBe('hello');
  await expect(listenOn('any', path)).rejects.toThrow('another process serves it');
  server.close();
});

test('the socket of a process that was killed is replaced, other files are not', async () => {
  const path = join(folder, 'dead');
  const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await new Promise((resolve) => spawn(process.execPath, ['-e', code]).on('exit', resolve));
  expect(statSync(path).isSocket()).toBe(true);
  (await listenOn('any', path)).close();

  const file = join(folder, 'file');
  writeFileSync(file, 'precious');
  await expect(listenOn('any', file)).rejects.toThrow('something that is not a socket lies there');
});

test('sockets from systemd are taken by their names, and programs started from here inherit neither them nor the words', async () => {
  const role = join(folder, 'role.ts');
  writeFileSync(role, `
    import { spawnSync } from 'node:child_process';
    import { listenOn } from ${JSON.stringify(join(import.meta.dirname, 'listen.ts'))};
    const second = await listenOn('second', '/nonexistent/b');
    const first = await listenOn('first', '/nonexistent/a');
    const look = 'readlink /proc/$$/fd/[3-9]*; env | grep LISTEN_; echo end';
    const child = spawnSync('/bin/sh', ['-c', look], { stdio: ['ignore', 'pipe', 'ignore'] });
    const seen = String(child.stdout).split('\\n').filter((line) => /socket|LISTEN|end/.test(line));
    first.on('connection', (socket) => socket.end('first ' + JSON.stringify(seen)));
    second.on('connection', (socket) => socket.end('second'));
    console.log('ready', process.pid);
  `);
  // Makes the sockets, hands them down as systemd does, and is gone before anybody connects. The shell becomes the role,
  // so that LISTEN_PID is the role's own.
  const starter = join(folder, 'starter.ts');
  writeFileSync(starter, `
    import { spawn } from 'node:child_process';
    import { createServer } from 'node:net';
    import { once } from 'node:events';
    const descriptors = [];
    for (const name of ['first', 'second']) {
      const server = createServer().listen(${JSON.stringify(folder)} + '/' + name);
      await once(server, 'listening');
      descriptors.push(server._handle.fd);
    }
    const command = 'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=first:second exec "$0" "$1"';
    const stdio = ['ignore', 'inherit', 'inherit', ...descriptors];
    spawn('/bin/sh', ['-c', command, process.execPath, ${JSON.stringify(role)}], { stdio });
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);
  `);
  const started = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise((resolve) => started.once('exit', resolve));
  const [line] = (await once(started.stdout!, 'data')) as [Buffer];
  const pid = Number(/ready (\d+)/.exec(String(line))?.[1]);
  try {
    await gone;
    expect(await readAll(join(folder, 'first'))).toBe('first ["end"]');
    expect(await readAll(join(folder, 'second'))).toBe('second');
  } finally {
    process.kill(pid, 'SIGKILL');
  }
});
