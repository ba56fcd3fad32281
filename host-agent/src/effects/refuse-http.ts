// SPDX-License-Identifier: Apache-2.0
import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NetRefusal } from '../egress/egress-wire.ts';
import { refusalBody, retryAfter, statusOf } from '../egress/net-refusal.ts';

/** The one way to fail, as the answer to a request. The connection ends with it: what else came on it is not read (RFC 9112, 9.6). */
export function refuseRequest(response: ServerResponse, refused: NetRefusal): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = Buffer.from(refusalBody(refused));
  response.shouldKeepAlive = false;
  response.writeHead(statusOf(refused), headersOf(refused, body));
  response.write(body);
  // Who is still sending would not get to read it if the connection were closed before that.
  const { req } = response;
  const end = (): void => void response.end();
  if (req.complete) return end();
  req.resume();
  req.once('end', end);
  req.once('close', end);
  setTimeout(end, LINGER_MS).unref();
}

const LINGER_MS = 1_000;

/** The same where there is no answer object: at CONNECT, at an upgrade, or where no request could be read. */
export function refuseSocket(socket: Duplex, refused: NetRefusal): void {
  if (socket.destroyed || !socket.writable) return void socket.destroy();
  const body = Buffer.from(refusalBody(refused));
  const lines = Object.entries(headersOf(refused, body)).map(([name, value]) => `${name}: ${value}\r\n`);
  endWith(socket, `HTTP/1.1 ${statusOf(refused)} ${STATUS_CODES[statusOf(refused)]}\r\n${lines.join('')}\r\n${body.toString()}`);
}

/** The last word on a connection, and soon its end, whatever the other side does. */
export function endWith(socket: Duplex, last: string | Buffer): void {
  socket.end(last);
  // Closing with bytes unread resets the connection, and the answer is lost with it; so what comes is dropped for a moment.
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function headersOf(refused: NetRefusal, body: Buffer): Record<string, string> {
  const wait = retryAfter(refused);
  return {
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
    'Proxy-Status': `holdfast; error=http_request_denied; details="${refused.rule.replace(/[^a-z_]/g, '')}"`,
    ...(wait === null ? {} : { 'Retry-After': wait }),
    Connection: 'close',
  };
}
