// SPDX-License-Identifier: Apache-2.0
import { request as requestUpstream, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { NetAsk, NetEnd, NetRefusal } from '../egress/egress-wire.ts';
import { headerOf, keptResponseHeaders, withHeader, withoutHeader, type Header } from '../egress/headers.ts';
import { literalAddress } from '../egress/host.ts';
import { ceilingOf, freeOfCharge } from '../egress/model-usage.ts';
import { refusal, type OwnRule } from '../egress/net-refusal.ts';
import type { ReadRequest } from '../egress/read-request.ts';
import type { Target } from '../egress/target.ts';
import { packedIn, withoutSecrets } from '../egress/response-secrets.ts';
import { usageReader, type UsageReader } from '../egress/usage-reader.ts';
import type { AgentName } from '../identity/ids.ts';
import { redactor, type Redactor } from '../secret/redaction.ts';
import { wipeableCopy } from '../secret/values.ts';
import { DialFault } from './dial.ts';
import type { Upstream } from './egress-upstream.ts';
import { markFor, replaceInHead } from './header-secrets.ts';
import { parseModelAnswer, readModelBody, type ModelBody } from './model-body.ts';
import type { OpenWay, Stopped, Ways } from './open-ways.ts';
import { refuseRequest } from './refuse-http.ts';
import type { SecretValue } from './secret-values.ts';

export type CarryPorts = {
  readonly ways: Ways;
  readonly secretOf: (name: string, way: OpenWay) => Promise<SecretValue>;
};
/** Milliseconds, as the machine's settings have them now. */
export type Patience = {
  /** Until the host begins to answer. */
  readonly responseMs: () => number;
  /** Of a connection whose bytes pass unread. */
  readonly idleMs: () => number;
};

/** A value and whose it is, for the one request. */
type Held = { readonly name: string; readonly header: string; readonly before: string; readonly after: string; readonly value: Buffer };

/** No more of a body came for so long. */
const BODY_IDLE_MS = 30_000;
const MAX_HEADER_BYTES = 65_536;

/** One inspected request: judged and recorded, sent with its secrets, answered. Every way through ends in an answer or a closed connection. */
export async function carryRequest(agent: AgentName, read: ReadRequest, request: IncomingMessage, response: ServerResponse, upstream: Upstream, ports: CarryPorts & Patience): Promise<void> {
  const body = await readModelBody(read, request, response);
  if (!body.ok) {
    ports.ways.turnedAway(agent, body.refusal, read.to);
    return refuseRequest(response, body.refusal);
  }
  const opened = await ports.ways.open(askFor(agent, read, body.value));
  if (!opened.ok) return refuseRequest(response, opened.refusal);
  const { way } = opened;
  const held = await secretsFor(read, way, ports);
  if (!held.ok) {
    way.end('refused', { why: held.refusal.rule, usage: body.value === null ? null : freeOfCharge(body.value.ask) });
    return refuseRequest(response, held.refusal);
  }
  await new Promise<void>((ended) => exchange({ read, request, response, upstream, way, body: body.value, held: held.value, responseMs: ports.responseMs(), ended }));
}

export function askFor(agent: AgentName, read: ReadRequest, body: ModelBody | null): Omit<NetAsk, 'id'> {
  const { to, method, path, headers, slots } = read;
  return {
    ask: 'open', agent, what: 'request', host: to.host, port: to.port, method, path: path.judged,
    secrets: [...new Set(slots.map(({ secret }) => secret))], model: body?.ask ?? null, upgrade: headers.upgrade,
  };
}

export async function secretsFor({ slots }: ReadRequest, way: OpenWay, { secretOf }: CarryPorts): Promise<{ readonly ok: true; readonly value: readonly Held[] } | { readonly ok: false; readonly refusal: NetRefusal }> {
  const held: Held[] = [];
  for (const { secret: name, header, before, after } of slots) {
    const answer = await secretOf(name, way);
    if (!answer.ok) {
      wipe(held);
      return { ok: false, refusal: secretRefusal(name, answer) };
    }
    held.push({ name, header, before, after, value: answer.value });
  }
  return { ok: true, value: held };
}

function secretRefusal(name: string, { rule, why }: Extract<SecretValue, { readonly ok: false }>): NetRefusal {
  return refusal(rule === 'locked' ? 'secret_locked' : 'secret_unavailable', `the secret ${name} cannot be used: ${why}`);
}

/** What is sent, with a mark where each value will stand. */
export function headersUpstream(read: ReadRequest, held: readonly Held[], length: number | null, readable: boolean): { readonly headers: readonly Header[]; readonly marked: readonly ReturnType<typeof markFor>[] } {
  let headers = read.headers.kept;
  const marked = held.map(({ header, before, after, value }) => {
    const one = markFor(wipeableCopy(value));
    headers = headers.map(([name, text]): Header => [name, name.toLowerCase() === header ? `${before}${one.mark}${after}` : text]);
    return one;
  });
  // What will be read on its way back must come as it is: nothing is unpacked here (F10).
  if (readable) headers = withHeader(headers, 'accept-encoding', 'identity');
  headers = withoutHeader(headers, 'content-length');
  if (length !== null) headers = withHeader(headers, 'Content-Length', String(length));
  else if (read.headers.chunked) headers = withHeader(headers, 'Transfer-Encoding', 'chunked');
  return { headers: [['Host', hostText(read)], ...headers], marked };
}

function hostText({ to, secure }: ReadRequest): string {
  return to.port === (secure ? 443 : 80) ? to.host : `${to.host}:${to.port}`;
}

type Exchange = {
  readonly read: ReadRequest;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: Upstream;
  readonly way: OpenWay;
  readonly body: ModelBody | null;
  readonly held: readonly Held[];
  readonly responseMs: number;
  readonly ended: () => void;
};

function exchange(x: Exchange): void {
  const { read, request, response, upstream, way, body, held } = x;
  let ended = false;
  let usage: UsageReader | null = null;
  let address: string | null = literalAddress(read.to.host);
  let status: number | null = null;
  let out: ClientRequest | null = null;

  function end(how: NetEnd['how'], why: string | null): void {
    if (ended) return;
    ended = true;
    wipe(held);
    // A refused or failed request costs nothing; one that was sent, and of whose cost nothing came back, costs its ceiling.
    const sent = out !== null && out.headersSent && address !== null && how !== 'refused' && how !== 'unreachable';
    const cost = body === null ? null : usage !== null ? usage.usage() : status === null && sent ? ceilingOf(body.ask) : freeOfCharge(body.ask);
    way.end(how, { status, address, usage: cost, why });
    x.ended();
  }

  function fail(how: NetEnd['how'], refused: NetRefusal): void {
    if (ended) return;
    end(how, refused.rule);
    out?.destroy();
    refuseRequest(response, refused);
  }

  const stop = (stopped: Stopped): void => fail(stopped.how, stoppedRefusal(stopped, read.to));
  response.once('close', () => {
    if (response.writableFinished) return;
    end('failed', 'the program hung up');
    out?.destroy();
  });
  way.onStop(stop);
  if (ended) return;
  if (response.destroyed) return end('failed', 'the program hung up');

  const length = body !== null ? body.bytes.length : read.headers.length;
  const { headers } = headersUpstream(read, [], length, body !== null || held.length > 0);
  if (!way.up(bytesOf(headers) + read.path.sent.length + read.query.length)) return;
  send(true);

  function send(first: boolean): void {
    const { headers: sending, marked } = headersUpstream(read, held, length, body !== null || held.length > 0);
    const sender = requestUpstream({
      agent: upstream, host: read.to.host, method: read.method, path: `${read.path.sent}${read.query}`, headers: sending.flat(), setHost: false, maxHeaderSize: MAX_HEADER_BYTES,
    });
    out = sender;
    const late = setTimeout(() => fail('failed', refusal('unreachable', `${read.to.host} has not begun to answer in ${x.responseMs / 1000} s`)), x.responseMs);
    sender.once('close', () => {
      clearTimeout(late);
      // Ended without a word, as with an upgrade that nobody asked for.
      if (out === sender && status === null) fail('failed', refusal('upstream_failed', `${read.to.host} gave no answer`));
    });
    sender.once('socket', (socket) => {
      address = socket.remoteAddress ?? address;
      replaceInHead(socket, marked);
    });
    sender.once('response', (incoming) => {
      clearTimeout(late);
      answer(incoming);
    });
    sender.on('error', (fault: NodeJS.ErrnoException) => {
      for (const { value } of marked) value.fill(0);
      // RFC 9110, 9.2.2 and 9112, 9.3.1: a connection that the host closed while it waited took nothing in.
      const again = first && !ended && sender.reusedSocket && status === null && (body !== null || !hasBody(read)) && (fault.code === 'ECONNRESET' || fault.code === 'EPIPE');
      if (again) return send(false);
      if (fault instanceof DialFault) return fail(fault.how, fault.refusal);
      fail('failed', refusal('upstream_failed', `${read.to.host} did not answer as HTTP does (${fault.code ?? fault.message})`));
    });
    if (body !== null) {
      if (way.up(body.bytes.length)) sender.end(body.bytes);
    } else if (first) passBody(sender);
    else sender.end();
  }

  function passBody(sender: ClientRequest): void {
    const idle = setTimeout(() => fail('failed', refusal('bad_request', `no more of the body came in ${BODY_IDLE_MS / 1000} s`)), BODY_IDLE_MS);
    request.on('data', (chunk: Buffer) => {
      idle.refresh();
      if (ended || !way.up(chunk.length)) return;
      if (!sender.write(chunk)) {
        request.pause();
        sender.once('drain', () => request.resume());
      }
    });
    request.once('end', () => {
      clearTimeout(idle);
      sender.end();
    });
    request.once('close', () => clearTimeout(idle));
  }

  function answer(incoming: IncomingMessage): void {
    status = incoming.statusCode ?? 0;
    if (status < 200 || status > 599) {
      status = null;
      return fail('failed', refusal('upstream_failed', `${read.to.host} answered with a status that there is not`));
    }
    const kept = keptResponseHeaders(incoming.rawHeaders);
    const packed = packedIn(incoming.rawHeaders);
    const { responseMax } = read.policy;
    const declared = Number(headerOf(kept, 'content-length') ?? 0);
    const tooLong = (): void => fail('quota', refusal('response_limit', `the answer of ${read.to.host} is longer than the ${responseMax} bytes that one may have here`));
    if (declared > responseMax && read.method !== 'HEAD') return tooLong();
    // Vendors charge nothing for what they refuse.
    if (body !== null && status < 400) usage = usageReader(body.ask, headerOf(kept, 'content-type'), packed !== null, parseModelAnswer);
    if (held.length > 0 && packed !== null) return fail('refused', packedRefusal(read.to, packed));
    const filter = held.length > 0 ? redactor(held.map(({ name, value }) => ({ name, value }))) : null;
    wipe(held);
    const clean = filter?.stream() ?? null;
    let bytes = 0;
    if (!way.down(bytesOf(kept))) return done(filter);
    const shown = filter === null ? kept : withoutSecrets(kept, filter);
    response.sendDate = false;
    response.writeHead(status, (clean === null ? shown : withoutHeader(shown, 'content-length')).flat() as string[]);
    response.flushHeaders();
    const give = (chunk: Uint8Array): void => {
      if (chunk.length === 0 || response.write(chunk)) return;
      incoming.pause();
      response.once('drain', () => incoming.resume());
    };
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (ended || !way.down(chunk.length)) return;
      if (bytes > responseMax) return tooLong();
      usage?.take(chunk);
      give(clean === null ? chunk : clean.push(chunk));
    });
    incoming.once('end', () => {
      if (ended) return done(filter);
      if (clean !== null) give(clean.end());
      done(filter);
      end('ok', null);
      response.end();
    });
    incoming.once('error', () => {
      done(filter);
      fail('failed', refusal('upstream_failed', `${read.to.host} broke off its answer`));
    });
    incoming.once('close', () => done(filter));
  }
}

function done(filter: Redactor | null): void {
  filter?.wipe();
}

/** Asked for as it is (RFC 9110, 12.5.3), and packed all the same: a key that it says back would not be found in it. */
export function packedRefusal({ host }: Target, packed: string): NetRefusal {
  return refusal('response_encoding', `the answer of ${host} is packed (${packed.slice(0, 30)}) although it was asked for as it is; a secret went with the request, and no answer to that passes unread`);
}

export function stoppedRefusal({ how, why }: Stopped, { host }: Target): NetRefusal {
  const rule: OwnRule = how;
  return refusal(rule, `the way to ${host} was ended: ${why}`);
}

function hasBody({ headers }: ReadRequest): boolean {
  return headers.chunked || (headers.length ?? 0) > 0;
}

function bytesOf(headers: readonly Header[]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 2);
}

function wipe(held: readonly Held[]): void {
  for (const { value } of held) value.fill(0);
}
