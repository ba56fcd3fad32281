// SPDX-License-Identifier: Apache-2.0
import { request as requestUpstream, type IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import { checkNetPermit, type NetFacts } from '../egress/check-net-permit.ts';
import type { NetRefusal } from '../egress/egress-wire.ts';
import { keptResponseHeaders, type Header } from '../egress/headers.ts';
import { modelApiOf } from '../egress/model-ask.ts';
import { refusal } from '../egress/net-refusal.ts';
import { packedIn, withoutSecrets } from '../egress/response-secrets.ts';
import { readRequest, type NetAgent, type ReadRequest } from '../egress/read-request.ts';
import type { Target } from '../egress/target.ts';
import type { Host } from '../egress/host.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import { redactor } from '../secret/redaction.ts';
import { DialFault, type Dial } from './dial.ts';
import { headersUpstream, packedRefusal, secretsFor, stoppedRefusal, type CarryPorts } from './egress-request.ts';
import { Upstream } from './egress-upstream.ts';
import { replaceInHead } from './header-secrets.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import type { Log } from './log.ts';
import type { OpenWay } from './open-ways.ts';
import { peerOf } from './peer.ts';

// `net.fetch`: holdfastd has judged and recorded one request of a mediated agent, and has it made here. One line in, one line out.

/** holdfastd to holdfast-egress. Host and port are the permit's once more; `path` has its query; `body` is base64 or null. */
type FetchAsk = {
  readonly permit: JsonValue;
  readonly receipt: JsonValue;
  readonly request: { readonly method: string; readonly scheme: 'https' | 'http'; readonly host: string; readonly port: number; readonly path: string; readonly headers: readonly Header[]; readonly body: string | null };
};
type FetchAnswer =
  | { readonly ok: true; readonly status: number; readonly headers: readonly Header[]; readonly body: string; readonly truncated: boolean }
  | { readonly ok: false; readonly refusal: NetRefusal };

export type FetchPorts = CarryPorts & {
  readonly dial: Dial;
  readonly agentOf: (name: string) => NetAgent | null;
  readonly facts: () => NetFacts;
  readonly callerUid: number;
  readonly log: Log;
};

/** As base64 it fits a line. */
const ANSWER_MAX = 700 * 1024;
const FETCH_MS = 60_000;
const CALLERS_MAX = 64;

export function serveFetches(server: Server, ports: FetchPorts): void {
  server.maxConnections = CALLERS_MAX;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    const { uid } = peerOf(socket);
    if (uid !== ports.callerUid) {
      ports.log.warn({ uid }, 'refused a connection to the fetch socket that is not from holdfastd');
      return void socket.destroy();
    }
    let asked = false;
    readJsonLines(socket, {
      maxBytes: MAX_LINE,
      limits: { maxString: MAX_LINE },
      onViolation: (why) => writeJsonLine(socket, no(refusal('bad_request', why)) as unknown as JsonValue),
      onValue: (value) => {
        if (asked) return void socket.destroy();
        asked = true;
        void answer(value, socket, ports).then((told) => {
          writeJsonLine(socket, told as unknown as JsonValue);
          socket.end();
        });
      },
    });
  });
}

async function answer(value: JsonValue, caller: Socket, ports: FetchPorts): Promise<FetchAnswer> {
  try {
    return await fetchOnce(value, caller, ports);
  } catch (fault) {
    ports.log.error({ fault: (fault as Error).message }, 'a fetch was refused because of a fault');
    return no(refusal('gate_unavailable', 'holdfast-egress met a fault with this request; tell an operator'));
  }
}

async function fetchOnce(value: JsonValue, caller: Socket, ports: FetchPorts): Promise<FetchAnswer> {
  const asked = readAsk(value);
  if (asked === null) return no(refusal('bad_request', 'the request has not the agreed form'));
  const checked = checkNetPermit(asked, ports.facts());
  if (!checked.ok) return no(refusal('gate_unavailable', `this request is not on record: ${checked.error}`));
  const { permit } = checked.value;
  const agent = ports.agentOf(permit.agent);
  if (agent === null) return no(refusal('not_declared', 'this agent has no network'));
  const to: Target = { host: permit.host as Host, port: permit.port };
  const secure = asked.request.scheme === 'https';
  if (asked.request.host !== to.host || asked.request.port !== to.port) return no(refusal('gate_unavailable', 'this request is not on record: its permit is for another place'));
  const body = asked.request.body === null ? null : Buffer.from(asked.request.body, 'base64');
  const rawHeaders = ['Host', `${to.host}:${to.port}`, ...asked.request.headers.flat(), ...(body === null ? [] : ['Content-Length', String(body.length)])];
  const sent = { method: asked.request.method, httpVersion: '1.1', rawHeaders, url: secure ? asked.request.path : `http://${to.host}:${to.port}${asked.request.path}` };
  const read = readRequest(sent, secure ? { to, secure } : { to: null, secure }, agent);
  if (!read.ok) return no(read.refusal);
  const unasked = read.value.slots.find(({ secret }) => !permit.secrets.includes(secret));
  if (unasked !== undefined) return no(refusal('placeholder', `the secret ${unasked.secret} was not asked for`));
  if (read.value.headers.upgrade !== null) return no(refusal('upgrade', 'a fetch is one request and one answer'));
  if (modelApiOf(read.value.method, read.value.path.judged) !== null) return no(refusal('model_body', 'models are not asked by net.fetch: their cost is counted where programs ask them'));
  const way = ports.ways.adopt(checked.value);
  if (way === null) return no(refusal('gate_unavailable', 'this receipt has been used; every request needs its own'));
  const upstream = new Upstream(to, secure, ports.dial);
  try {
    const held = await secretsFor(read.value, way, ports);
    if (!held.ok) return held;
    return await send(read.value, body, held.value, way, upstream, caller);
  } finally {
    upstream.destroy();
    way.end('ok');
  }
}

function send(read: ReadRequest, body: Buffer | null, held: Parameters<typeof headersUpstream>[1], way: OpenWay, upstream: Upstream, caller: Socket): Promise<FetchAnswer> {
  return new Promise((resolve) => {
    const { headers, marked } = headersUpstream(read, held, body?.length ?? null, true);
    const out = requestUpstream({ agent: upstream, host: read.to.host, method: read.method, path: `${read.path.sent}${read.query}`, headers: headers.flat(), setHost: false });
    const finish = (told: FetchAnswer): void => {
      clearTimeout(late);
      for (const { value } of [...marked, ...held]) value.fill(0);
      out.destroy();
      resolve(told);
    };
    const late = setTimeout(() => finish(no(refusal('unreachable', `${read.to.host} has not answered in ${FETCH_MS / 1000} s`))), FETCH_MS);
    way.onStop((stopped) => finish(no(stoppedRefusal(stopped, read.to))));
    // holdfastd is gone: nobody waits for it.
    caller.once('close', () => finish(no(refusal('cut', 'the caller hung up'))));
    out.once('socket', (socket) => {
      replaceInHead(socket, marked);
    });
    out.on('error', (fault) => finish(no(fault instanceof DialFault ? fault.refusal : refusal('upstream_failed', `${read.to.host} did not answer as HTTP does`))));
    out.once('response', (incoming) =>
      void collect(incoming, Math.min(ANSWER_MAX, read.policy.responseMax)).then(({ bytes, cut }) => {
        const kept = keptResponseHeaders(incoming.rawHeaders);
        const packed = packedIn(incoming.rawHeaders);
        if (held.length > 0 && packed !== null) return finish(no(packedRefusal(read.to, packed)));
        const filter = held.length > 0 ? redactor(held.map(({ name, value }) => ({ name, value }))) : null;
        const shown = filter === null ? kept : withoutSecrets(kept, filter);
        const clean = filter === null ? bytes : Buffer.from(filter.bytes(bytes));
        filter?.wipe();
        finish({ ok: true, status: incoming.statusCode ?? 0, headers: shown, body: clean.toString('base64'), truncated: cut });
      }),
    );
    out.end(body ?? undefined);
  });
}

function collect(incoming: IncomingMessage, most: number): Promise<{ readonly bytes: Buffer; readonly cut: boolean }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let whole = false;
    incoming.on('data', (chunk: Buffer) => {
      if (length < most) chunks.push(chunk.subarray(0, most - length));
      length += chunk.length;
      if (length > most) incoming.destroy();
    });
    incoming.once('end', () => (whole = true));
    incoming.on('error', () => {});
    incoming.once('close', () => resolve({ bytes: Buffer.concat(chunks), cut: !whole || length > most }));
  });
}

function readAsk(value: JsonValue): FetchAsk | null {
  if (!isObject(value) || !checkFields(value, ['permit', 'receipt', 'request']).ok) return null;
  const request = value['request'];
  if (!isObject(request) || !checkFields(request, ['method', 'scheme', 'host', 'port', 'path', 'headers', 'body']).ok) return null;
  const { method, scheme, host, port, path, headers, body } = request;
  if (typeof method !== 'string' || typeof path !== 'string' || typeof host !== 'string' || typeof port !== 'number' || !Array.isArray(headers)) return null;
  if (scheme !== 'https' && scheme !== 'http') return null;
  if (body !== null && (typeof body !== 'string' || Buffer.from(body, 'base64').toString('base64') !== body)) return null;
  const pairs = headers.filter((one): one is readonly [string, string] => Array.isArray(one) && one.length === 2 && one.every((text) => typeof text === 'string'));
  return pairs.length !== headers.length ? null : { permit: value['permit'] ?? null, receipt: value['receipt'] ?? null, request: { method, scheme, host, port, path, headers: pairs, body } };
}

function no(refused: NetRefusal): Extract<FetchAnswer, { readonly ok: false }> & JsonObject {
  return { ok: false, refusal: refused } as never;
}
