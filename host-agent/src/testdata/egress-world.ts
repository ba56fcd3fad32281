// SPDX-License-Identifier: Apache-2.0
// The world outside, as a process in a network namespace of its own: names, hosts that prove who they are, and hosts that do not. What it
// is asked is told on standard output, a line each. Started by egress-place.ts; the first argument is a folder.
import { createSocket } from 'node:dgram';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createTcp, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { brotliCompressSync, createGzip, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { openAuthority } from '../effects/egress-authority.ts';
import type { Host } from '../egress/host.ts';
import { anthropicStream, chatStream } from './model-answers.ts';

const folder = process.argv[2]!;
const PUBLIC = '93.184.216.34';
const SECOND = '93.184.216.35';
const DNS = '93.184.216.53';

const tell = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);

const NAMES: Record<string, readonly string[] | 'silent' | 'turns'> = {
  'api.test': [PUBLIC], 'web.test': [PUBLIC], 'model.test': [PUBLIC], 'other.test': [PUBLIC], 'wrong.test': [PUBLIC], 'unsigned.test': [SECOND], 'ws.test': [PUBLIC], 'six.test': ['2606:2800:220:1::34'],
  'closed.test': ['93.184.216.36'], 'inner.test': ['10.0.0.5'], 'loop.test': ['127.0.0.1'], 'meta.test': ['169.254.169.254'], 'mixed.test': [PUBLIC, '127.0.0.1'], 'mapped.test': ['::ffff:127.0.0.1'], 'nat64.test': ['64:ff9b::7f00:1'], 'vault.example.com': [PUBLIC], 'wrong.example.com': [PUBLIC], 'inside.example.com': ['10.0.0.5'], 'silent.test': 'silent', 'turns.test': 'turns',
};
let turn = 0;

function startDns(): void {
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const labels: string[] = [];
    let at = 12;
    while (question[at] !== 0) {
      labels.push(question.toString('latin1', at + 1, at + 1 + question[at]!));
      at += question[at]! + 1;
    }
    const name = labels.join('.').toLowerCase();
    const type = question.readUInt16BE(at + 1);
    tell({ dns: name, type });
    const known = NAMES[name];
    if (known === 'silent') return;
    // Public at first, then inside: what a rebinding host does. The two families of one lookup get the same answer.
    if (type === 1 && known === 'turns') turn += 1;
    const addresses = known === 'turns' ? [turn % 2 === 1 ? PUBLIC : '127.0.0.1'] : (known ?? []);
    const records = addresses.filter((address) => address.includes(':') === (type === 28)).map((address) => {
      const data = address.includes(':') ? v6(address) : Buffer.from(address.split('.').map(Number));
      return Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]), data]);
    });
    const head = Buffer.from([question[0]!, question[1]!, 0x81, known === undefined ? 0x83 : 0x80, 0, 1, 0, records.length, 0, 0, 0, 0]);
    socket.send(Buffer.concat([head, question.subarray(12, at + 5), ...records]), from.port, from.address);
  });
  socket.bind(53, DNS);
}

function v6(address: string): Buffer {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text = dotted === null ? address : `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`;
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [h, t] = [groups(head), groups(tail)];
  const all = [...h, ...Array.from({ length: 8 - h.length - t.length }, () => 0), ...t];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url!, 'http://x');
  const chunks: Buffer[] = [];
  request.on('error', () => {});
  response.on('error', () => {});
  if (url.pathname === '/count') {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('close', () => tell({ counted: bytes, whole: request.complete }));
    request.on('end', () => response.end(String(bytes)));
    return;
  }
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString('latin1');
    tell({ asked: request.url, method: request.method, headers: request.rawHeaders, body: body.slice(0, 4000), from: request.socket.localAddress });
    switch (url.pathname) {
      case '/echo':
        response.setHeader('Alt-Svc', 'h3=":443"; ma=86400');
        return void response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.rawHeaders, body }));
      case '/big':
        return void response.end(Buffer.alloc(Number(url.searchParams.get('bytes')), 'x'));
      case '/never': {
        response.write('begin\n');
        const more = setInterval(() => response.write('x'.repeat(Number(url.searchParams.get('bytes') ?? 1))), 20);
        return void response.on('close', () => {
          clearInterval(more);
          tell({ neverEnded: true });
        });
      }
      case '/redirect':
        return void response.writeHead(302, { Location: url.searchParams.get('to')! }).end();
      case '/bomb':
        return void response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain' }).end(Buffer.alloc(1000, 1));
      case '/key-back': {
        const key = request.headers.authorization ?? '';
        response.write(`you sent ${key.slice(0, 12)}`);
        return void setTimeout(() => response.end(`${key.slice(12)} and in base64 ${Buffer.from(key).toString('base64')}.`), 50);
      }
      case '/coded/v1/messages':
        return void response.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Type': 'application/json' }).end(gzipSync('{}'));
      case '/coded': {
        const coding = url.searchParams.get('in')!;
        const packers: Record<string, (text: Buffer) => Buffer> = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };
        const said = Buffer.from(`you sent ${request.headers.authorization}`);
        const packed = packers[coding]?.(said) ?? said;
        if (!url.searchParams.has('transfer')) return void response.writeHead(200, { 'Content-Encoding': coding, 'X-Said': request.headers.authorization ?? '' }).end(packed);
        // As no server of Node's would say it.
        request.socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}, chunked\r\nConnection: close\r\n\r\n${packed.length.toString(16)}\r\n`);
        request.socket.write(packed);
        return void request.socket.end('\r\n0\r\n\r\n');
      }
      case '/bomb-with-key': {
        const zeros = Buffer.alloc(1024 * 1024);
        const pack = createGzip();
        response.writeHead(200, { 'Content-Encoding': 'gzip' });
        pack.pipe(response);
        for (let n = 0; n < 512; n += 1) pack.write(zeros);
        return void pack.end();
      }
      case '/hang':
        return;
      case '/early':
        return void response.writeHead(200, { 'Content-Length': '1000' }).write('x', () => response.destroy());
      case '/v1/messages':
        return stream(response, anthropicStream, url.searchParams.has('slow') ? 50 : 1);
      case '/v1/chat/completions':
        return body.includes('include_usage":true') ? stream(response, chatStream) : stream(response, ['data: {"choices":[]}\n\n', 'data: [DONE]\n\n']);
      case '/v1/responses':
        return void response.writeHead(401, { 'Content-Type': 'application/json' }).end('{"error":{"message":"no"}}');
      default:
        return void response.end('hello');
    }
  });
}

/** In pieces that no reader would choose. */
function stream(response: ServerResponse, events: readonly string[], everyMs = 1): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const text = events.join('');
  let at = 0;
  const more = setInterval(() => {
    if (at >= text.length) {
      clearInterval(more);
      return void response.end();
    }
    response.write(text.slice(at, at + 37));
    at += 37;
  }, everyMs);
  response.on('close', () => clearInterval(more));
}

function upgraded(request: IncomingMessage, socket: Socket): void {
  tell({ upgraded: request.url, headers: request.rawHeaders });
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nwelcome');
  socket.on('data', (chunk: Buffer) => socket.write(chunk));
}

const known = openAuthority(`${folder}/world-authority`);
const unknown = openAuthority(`${folder}/unknown-authority`);
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/world.pem`, known.pem);
startDns();
const named = createHttps({ SNICallback: (name, done) => done(null, known.contextFor((name === 'wrong.test' ? 'web.test' : name) as Host)), ALPNProtocols: ['http/1.1'] }, answer);
named.on('upgrade', upgraded).on('tlsClientError', (fault) => tell({ tlsRefused: fault.message })).listen(443, PUBLIC);
createHttps({ SNICallback: (name, done) => done(null, known.contextFor(name as Host)) }, answer).listen(443, '2606:2800:220:1::34');
createHttps({ SNICallback: (name, done) => done(null, unknown.contextFor(name as Host)) }, answer).on('tlsClientError', () => {}).listen(443, SECOND);
createHttp({ insecureHTTPParser: true }, answer).listen(80, PUBLIC);
// Takes bytes and gives as many as are asked for: what a tunnel can do at most.
createTls({ SNICallback: (name, done) => done(null, known.contextFor(name as Host)) }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const asked = /^GIVE (\d+)\n/.exec(chunk.toString('latin1'))?.[1];
    if (asked === undefined) socket.write(chunk);
    else socket.end(Buffer.alloc(Number(asked), 'y'));
  });
}).on('tlsClientError', () => {}).listen(8443, PUBLIC);
// Answers that no client should take for one.
createTcp((socket) => {
  socket.on('error', () => socket.destroy());
  socket.once('data', (chunk: Buffer) => {
    const said = /^GET \/said\/([0-9a-f]*) /.exec(chunk.toString('latin1'))?.[1];
    if (said !== undefined) return void socket.end(Buffer.from(said, 'hex'));
    const status = /^GET \/(\d+)/.exec(chunk.toString('latin1'))?.[1];
    if (status === '101') return void socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nx');
    if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`);
    return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /');
  });
}).listen(8080, PUBLIC);
// What must never be reached.
for (const port of [80, 443]) createTcp((socket) => {
  tell({ internalReached: port });
  socket.on('error', () => {});
  socket.end();
}).listen(port, '127.0.0.1');
setTimeout(() => tell({ ready: true }), 200);
