// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import { parseStrictJson } from '../door/strict-json.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import { MOST_REQUEST_BYTES, MOST_SECRET_BYTES, type SecretReply } from '../secret/operator-wire.ts';
import { writeJsonLine } from './json-lines.ts';
import type { Strangers } from './operator-listener.ts';
import { peerOf } from './peer.ts';

export type SecretHandlers = {
  /** May this uid come in at all? */
  readonly admit: (uid: number) => Promise<Result<unknown>>;
  /** The secret is wiped when the answer is there. */
  readonly answer: (uid: number, request: JsonValue, secret: Buffer) => Promise<SecretReply<JsonValue>>;
  readonly strangers: Strangers;
  readonly onFault: (fault: unknown) => void;
};

const MOST_CONNECTIONS = 16;
const REQUEST_MS = 30_000;
const NEWLINE = 0x0a;

/**
 * One request on a connection: a line `{"request":…,"secretBytes":N}` and N bytes. They are gathered in one buffer, which is wiped, as is
 * each piece that they came in.
 */
export function serveSecretRequests(server: Server, handlers: SecretHandlers): void {
  server.maxConnections = MOST_CONNECTIONS;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    void enter(socket).catch((fault: unknown) => {
      handlers.onFault(fault);
      socket.destroy();
    });
  });

  async function enter(socket: Socket): Promise<void> {
    const uid = uidOf(socket);
    if (uid === null) return void socket.destroy();
    const admitted = await handlers.admit(uid);
    if (!admitted.ok) {
      handlers.strangers.knocked(uid, admitted.error);
      return finish(socket, admitted);
    }
    gather(socket, (request, secret) => handlers.answer(uid, request, secret), handlers.onFault);
  }
}

function gather(socket: Socket, answer: (request: JsonValue, secret: Buffer) => Promise<SecretReply<JsonValue>>, onFault: (fault: unknown) => void): void {
  const whole = Buffer.alloc(MOST_REQUEST_BYTES + 1 + MOST_SECRET_BYTES);
  let length = 0;
  let read: Envelope | null = null;
  const end = (reply: SecretReply<JsonValue>): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    whole.fill(0);
    finish(socket, reply);
  };
  const timer = setTimeout(() => end(refuse(`the request was not whole within ${REQUEST_MS / 1_000} s`)), REQUEST_MS);

  function onData(chunk: Buffer): void {
    const fits = length + chunk.length <= whole.length;
    if (fits) length += chunk.copy(whole, length);
    chunk.fill(0);
    if (!fits) return end(refuse('the request is too long'));
    if (read === null) {
      const newline = whole.subarray(0, length).indexOf(NEWLINE);
      if (newline < 0) return length > MOST_REQUEST_BYTES ? end(refuse('the request is too long')) : undefined;
      const parsed = parseEnvelope(whole.subarray(0, newline), newline + 1);
      if (!parsed.ok) return end(parsed);
      read = parsed.value;
    }
    const { request, from, to } = read;
    if (length < to) return;
    if (length > to) return end(refuse('there is more than one request'));
    clearTimeout(timer);
    socket.off('data', onData);
    // Who hangs up is answered to nobody; what was begun is done all the same.
    answer(request, whole.subarray(from, to)).then(end, (fault: unknown) => {
      onFault(fault);
      end(refuse('a fault in holdfast-secretd stopped this; its journal says more'));
    });
  }

  socket.on('data', onData);
  socket.on('close', () => {
    clearTimeout(timer);
    if (read === null || length < read.to) whole.fill(0);
  });
}

/** `secretBytes` of the bytes that follow, between `from` and `to`. */
type Envelope = { readonly request: JsonValue; readonly from: number; readonly to: number };

function parseEnvelope(line: Uint8Array, from: number): Result<Envelope> {
  const value = parseStrictJson(Buffer.from(line).toString('utf8'));
  if (!value.ok) return value;
  if (!isObject(value.value)) return refuse('the request must be an object');
  const fields = checkFields(value.value, ['request', 'secretBytes']);
  if (!fields.ok) return fields;
  const { request, secretBytes } = value.value;
  if (typeof secretBytes !== 'number' || !Number.isSafeInteger(secretBytes) || secretBytes < 0 || secretBytes > MOST_SECRET_BYTES) return refuse(`secretBytes must be 0 to ${MOST_SECRET_BYTES}`);
  return accept({ request: request ?? null, from, to: from + secretBytes });
}

function finish(socket: Socket, reply: SecretReply<JsonValue> | Result<unknown>): void {
  writeJsonLine(socket, reply as unknown as JsonValue);
  socket.end();
  setTimeout(() => socket.destroy(), 1_000).unref();
}

function uidOf(socket: Socket): number | null {
  try {
    return peerOf(socket).uid;
  } catch {
    return null;
  }
}
