// SPDX-License-Identifier: Apache-2.0
import { request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

// A program of an agent: it speaks to the proxy on its socket, and believes the certificates that it was given.

export type Got = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: string };
export type Refused = { readonly type: string; readonly error: { readonly type: string; readonly rule: string; readonly message: string; readonly ask: string | null } };

/** What stands on the socket until it is closed by the other side, or nothing came for a while. */
export function speak(path: string, text: string | Buffer, quietMs = 3_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let said = '';
    const quiet = setTimeout(() => socket.destroy(), quietMs);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
    socket.on('close', () => {
      clearTimeout(quiet);
      resolve(said);
    });
    socket.write(text);
  });
}

/** The proxy's answer to CONNECT; `socket` is the tunnel where it is 200. */
export async function connectTo(path: string, authority: string, headers: Record<string, string> = {}): Promise<Got & { readonly socket: Socket }> {
  const asked = request({ socketPath: path, method: 'CONNECT', path: authority, headers: { Host: authority, ...headers } });
  return new Promise((resolve, reject) => {
    asked.once('error', reject);
    asked.once('connect', (answer, socket, head) => {
      socket.on('error', () => {});
      if (answer.statusCode === 200) return resolve({ status: 200, headers: answer.headers, body: '', socket });
      let body = head.toString();
      socket.on('data', (chunk: Buffer) => (body += chunk.toString()));
      socket.once('close', () => resolve({ status: answer.statusCode!, headers: answer.headers, body, socket }));
    });
    asked.end();
  });
}

export type TlsOptions = { readonly ca: string; readonly servername?: string; readonly alpn?: string[] };

export async function tlsOver(socket: Socket, host: string, { ca, servername = host, alpn }: TlsOptions): Promise<TLSSocket> {
  const tls = connectTls({ socket, servername, ca, ...(alpn === undefined ? {} : { ALPNProtocols: alpn }) });
  await new Promise<void>((resolve, reject) => {
    tls.once('secureConnect', resolve);
    tls.once('error', reject);
    tls.once('close', () => reject(new Error('closed in the handshake')));
  });
  tls.on('error', () => {});
  return tls;
}

export type Ask = { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string | string[]>; readonly body?: string | Buffer };

/** One request on a connection that is there. */
export function askOn(socket: Socket, host: string, { method = 'GET', path = '/', headers = {}, body }: Ask): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ createConnection: () => socket, method, path, headers: { Host: host, ...headers } });
    asked.once('error', reject);
    asked.once('response', (answer) => void collect(answer).then((text) => resolve({ status: answer.statusCode!, headers: answer.headers, body: text }), reject));
    asked.end(body);
  });
}

/** https://HOST through the proxy. */
export async function https(path: string, host: string, ca: string, ask: Ask = {}, port = 443): Promise<Got> {
  const { status, socket, ...rest } = await connectTo(path, `${host}:${port}`);
  if (status !== 200) return { status, ...rest };
  const tls = await tlsOver(socket, host, { ca });
  try {
    return await askOn(tls, port === 443 ? host : `${host}:${port}`, ask);
  } finally {
    tls.destroy();
  }
}

/** http://HOST through the proxy. */
export function http(path: string, url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, method, path: url, headers: { Host: new URL(url).host, ...headers }, agent: false });
    asked.once('error', reject);
    asked.once('response', (answer) => void collect(answer).then((text) => resolve({ status: answer.statusCode!, headers: answer.headers, body: text }), reject));
    asked.end(body);
  });
}

async function collect(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export function refusedBy(got: Got): string {
  return (JSON.parse(got.body) as Refused).error.rule;
}
