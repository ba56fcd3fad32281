// SPDX-License-Identifier: Apache-2.0
// The program whose requests bench/egress.ts measures: in the namespace where the world is, through one proxy or another, or through none.
// Arguments: what to do, the way, how often, the certificates. Says microseconds, one a line.
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

const [what, way, times, caFile] = process.argv.slice(2) as [string, string, string, string];
const ca = readFileSync(caFile, 'utf8');
const BULK = 64 * 1024 * 1024;
const PIPE = 8889;

/** `unix:PATH`, `tcp:PORT`, or `direct` and `pipe`, which go to the host themselves. */
async function tunnel(host: string, port: number): Promise<Socket> {
  if (way === 'direct') return opened(connect(port, '93.184.216.34'));
  if (way === 'pipe') return opened(connect(PIPE, '127.0.0.1'));
  const socket = await opened(way.startsWith('unix:') ? connect(way.slice(5)) : connect(Number(way.slice(4)), '127.0.0.1'));
  socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  const head = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  if (!/^HTTP\/1\.[01] 200/.test(head.toString())) throw new Error(head.toString());
  return socket;
}

/** The least that any proxy in Node does; in a process of its own, as the others are. */
function servePipe(): void {
  createServer((from) => {
    const to = connect(8443, '93.184.216.34');
    from.pipe(to).pipe(from);
    for (const socket of [from, to]) socket.on('error', () => socket.destroy());
  }).listen(PIPE, '127.0.0.1');
}

function opened(socket: Socket): Promise<Socket> {
  socket.setNoDelay(true);
  return new Promise((resolve, reject) => socket.once('connect', () => resolve(socket)).once('error', reject));
}

function secured(socket: Socket, host: string): Promise<TLSSocket> {
  const tls = connectTls({ socket, servername: host, ca });
  return new Promise((resolve, reject) => tls.once('secureConnect', () => resolve(tls)).once('error', reject));
}

/** A small answer on a connection that is there. */
function asked(tls: TLSSocket, host: string): Promise<void> {
  return new Promise((resolve) => {
    let text = '';
    const take = (chunk: Buffer): void => {
      text += chunk.toString();
      if (!text.endsWith('hello')) return;
      tls.off('data', take);
      resolve();
    };
    tls.on('data', take);
    tls.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
}

async function timed(run: () => Promise<void>): Promise<void> {
  const begun = process.hrtime.bigint();
  await run();
  process.stdout.write(`${Number(process.hrtime.bigint() - begun) / 1000}\n`);
}

const host = what === 'inspected' ? 'web.test' : 'other.test';
const count = Number(times);
if (what === 'pipe') servePipe();
else if (what === 'bulk') {
  for (let n = 0; n < count; n += 1) {
    const tls = await secured(await tunnel(host, 8443), host);
    await timed(() => new Promise<void>((resolve) => {
      tls.on('data', () => {}).once('close', () => resolve());
      tls.write(`GIVE ${BULK}\n`);
    }));
  }
} else if (what === 'inspected') {
  const tls = await secured(await tunnel(host, 443), host);
  for (let n = 0; n < count; n += 1) await timed(() => asked(tls, host));
  tls.destroy();
} else {
  for (let n = 0; n < count; n += 1) {
    await timed(async () => {
      const tls = await secured(await tunnel(host, 443), host);
      if (what === 'connection') await asked(tls, host);
      tls.destroy();
    });
  }
}
if (what !== 'pipe') process.exit(0);
