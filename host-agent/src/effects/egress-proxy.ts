// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { NetRefusal } from '../egress/egress-wire.ts';
import { policyFor } from '../egress/net-policy.ts';
import { refusal } from '../egress/net-refusal.ts';
import { readRequest, type Entrance, type NetAgent } from '../egress/read-request.ts';
import { parseConnectTarget, type Target } from '../egress/target.ts';
import type { Dial } from './dial.ts';
import type { EgressAuthority } from './egress-authority.ts';
import { carryRequest, type CarryPorts, type Patience } from './egress-request.ts';
import { carryTunnel, ESTABLISHED } from './egress-tunnel.ts';
import { carryUpgrade } from './egress-upgrade.ts';
import { Upstream } from './egress-upstream.ts';
import { firstHello, WRONG_NAME_ALERT } from './first-hello.ts';
import type { Log } from './log.ts';
import { endWith, refuseRequest, refuseSocket } from './refuse-http.ts';

export type ProxyPorts = CarryPorts & Patience & {
  readonly dial: Dial;
  readonly authority: EgressAuthority;
  readonly log: Log;
};

/** One connection of an agent, and what was opened for it. */
type Line = { readonly agent: () => NetAgent | null; readonly entrance: Entrance; readonly upstreams: Map<string, Upstream> };

export type Proxy = { readonly serve: (socket: Socket, agent: () => NetAgent | null) => void };

/** RFC 9112, 3: more than any browser sends; F08. */
const MAX_HEADER_BYTES = 65_536;
const HEADERS_MS = 15_000;
/** For all of a request's body, however it comes (F10). */
const REQUEST_MS = 900_000;
const HANDSHAKE_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
/** Judged at once for one agent; the rest waits in programs. */
const REQUESTS_MAX = 128;

const GONE = refusal('not_declared', 'this agent has no network any more; its file was changed');
const FAULT = refusal('gate_unavailable', 'nothing goes out: holdfast-egress met a fault with this request; tell an operator');
const BUSY = refusal('too_many', `more than ${REQUESTS_MAX} requests of this agent at once`, null, 1000);

/** HTTP proxy for agents (RFC 9110, 7.3 and 9.3.6). Node's parser, strict; nothing here decides what may go. */
export function egressProxy(ports: ProxyPorts): Proxy {
  const lines = new WeakMap<Duplex, Line>();
  const running = new Map<string, number>();
  const server = httpServer(lines, (line, refused) => noted(line.agent(), refused, line.entrance.to));
  server.on('request', (request, response) => void onRequest(request, response));
  server.on('upgrade', (request, socket, head) => void onUpgrade(request, socket, head));
  server.on('connect', (request, socket, head) => void onConnect(request, socket, head));

  /** What never comes to holdfastd as a question is told to it, by its rule and its place: all else is the agent's data. */
  function noted(agent: NetAgent | null, refused: NetRefusal, to: Target | null): NetRefusal {
    if (agent !== null) ports.ways.turnedAway(agent.name, refused, to);
    return refused;
  }

  /** Answers an agent's request with what came of it; a fault of ours is a refusal too. */
  async function counted(agent: NetAgent, to: Target, run: () => Promise<void>, refuse: (why: NetRefusal) => void): Promise<void> {
    const now = running.get(agent.name) ?? 0;
    if (now >= REQUESTS_MAX) return refuse(noted(agent, BUSY, to));
    running.set(agent.name, now + 1);
    try {
      await run();
    } catch (fault) {
      ports.log.error({ agent: agent.name, fault: (fault as Error).message }, 'a request was refused because of a fault');
      refuse(noted(agent, FAULT, to));
    } finally {
      const left = (running.get(agent.name) ?? 1) - 1;
      if (left > 0) running.set(agent.name, left);
      else running.delete(agent.name);
    }
  }

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => response.destroy());
    response.on('error', () => response.destroy());
    const line = lines.get(request.socket);
    const agent = line?.agent() ?? null;
    if (line === undefined || agent === null) return refuseRequest(response, GONE);
    const read = readRequest(sentOf(request), line.entrance, agent);
    const no = (refused: NetRefusal, to: Target | null): void => refuseRequest(response, noted(agent, refused, to));
    if (!read.ok) return no(read.refusal, read.to);
    const { to } = read.value;
    // Node tells of an upgrade only when the parser sees one; a websocket that came as a plain request would lose its meaning.
    if (read.value.headers.upgrade !== null) return no(refusal('upgrade', 'an upgrade is asked for with GET and without a body'), to);
    await counted(agent, to, () => carryRequest(agent.name, read.value, request, response, upstreamOf(line, to), ports), (why) => refuseRequest(response, why));
  }

  async function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const line = lines.get(request.socket);
    const agent = line?.agent() ?? null;
    if (line === undefined || agent === null) return refuseSocket(socket, GONE);
    const read = readRequest(sentOf(request), line.entrance, agent);
    const no = (refused: NetRefusal, to: Target | null): void => refuseSocket(socket, noted(agent, refused, to));
    if (!read.ok) return no(read.refusal, read.to);
    const { to } = read.value;
    if (read.value.headers.upgrade === null || read.value.method !== 'GET') return no(refusal('upgrade', 'an upgrade is asked for with GET, Connection: Upgrade and Upgrade: websocket'), to);
    await counted(agent, to, () => carryUpgrade(agent.name, read.value, socket, head, upstreamOf(line, to), ports), (why) => refuseSocket(socket, why));
  }

  async function onConnect(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const line = lines.get(request.socket);
    const agent = line?.agent() ?? null;
    if (line === undefined || agent === null) return refuseSocket(socket, GONE);
    const no = (refused: NetRefusal, to: Target | null): void => refuseSocket(socket, noted(agent, refused, to));
    if (line.entrance.secure) return no(refusal('bad_request', 'CONNECT does not pass inside another'), line.entrance.to);
    const target = parseConnectTarget(request.url ?? '');
    if (!target.ok) return no(refusal('bad_target', target.error), null);
    const hosts = request.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;
    const stated = request.headers.host === undefined ? target : parseConnectTarget(request.headers.host.includes(':') ? request.headers.host : `${request.headers.host}:${target.value.port}`);
    if (hosts > 1 || !stated.ok || stated.value.host !== target.value.host || stated.value.port !== target.value.port) {
      return no(refusal('host_mismatch', `the Host header must name ${target.value.host}, which CONNECT asks for`), target.value);
    }
    // RFC 9110, 9.3.6: a body of CONNECT has no meaning, and would be read as the first bytes of the tunnel by some.
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) return no(refusal('bad_request', 'CONNECT has no body'), target.value);
    const { mode } = policyFor(agent.net, agent.secrets, target.value);
    const carry = mode === 'tunnel' ? () => carryTunnel(agent.name, target.value, socket, head, ports) : () => inspect(line, target.value, socket, head);
    await counted(agent, target.value, carry, (why) => refuseSocket(socket, why));
  }

  /** Ends the program's TLS here. Each request within is asked for by itself; until then nothing has left. */
  async function inspect(line: Line, to: Target, socket: Duplex, head: Buffer): Promise<void> {
    socket.write(ESTABLISHED);
    if (head.length > 0) socket.unshift(head);
    const hello = await firstHello(socket, to.host, false);
    if (!hello.ok) {
      noted(line.agent(), refusal('tls_name', hello.error), to);
      return endWith(socket, WRONG_NAME_ALERT);
    }
    socket.unshift(hello.value);
    const secure = new TLSSocket(socket as Socket, { isServer: true, secureContext: ports.authority.contextFor(to.host), ALPNProtocols: ['http/1.1'], requestCert: false });
    const late = setTimeout(() => secure.destroy(), HANDSHAKE_MS);
    secure.on('error', () => secure.destroy());
    secure.once('close', () => socket.destroy());
    secure.once('secure', () => {
      clearTimeout(late);
      attach(secure, { agent: line.agent, entrance: { to, secure: true }, upstreams: new Map() });
    });
  }

  function attach(socket: Socket, line: Line): void {
    lines.set(socket, line);
    socket.once('close', () => {
      for (const upstream of line.upstreams.values()) upstream.destroy();
    });
    server.emit('connection', socket);
  }

  function upstreamOf(line: Line, to: Target): Upstream {
    const key = `${to.host}:${to.port}`;
    const known = line.upstreams.get(key) ?? new Upstream(to, line.entrance.secure, ports.dial);
    line.upstreams.set(key, known);
    return known;
  }

  return { serve: (socket, agent) => attach(socket, { agent, entrance: { to: null, secure: false }, upstreams: new Map() }) };
}

function httpServer(lines: WeakMap<Duplex, Line>, noted: (line: Line, refused: NetRefusal) => NetRefusal): Server {
  const server = createServer({
    insecureHTTPParser: false, maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 2_000,
    keepAliveTimeout: KEEP_ALIVE_MS, requireHostHeader: false,
  });
  // Node drops what is beyond this in silence; ours is to refuse it.
  server.maxHeadersCount = 0;
  const told = new WeakSet<Duplex>();
  server.on('clientError', (fault: NodeJS.ErrnoException, socket: Duplex) => {
    // What follows the error is read and dropped, and the parser complains of it again.
    if (told.has(socket)) return;
    told.add(socket);
    const line = lines.get(socket);
    if (fault.code === 'ECONNRESET' || line === undefined) return void socket.destroy();
    refuseSocket(socket, noted(line, refusal('bad_request', `this is no HTTP/1.1 request that has one meaning (${fault.code ?? 'unknown'})`)));
  });
  // It listens nowhere, and Node begins to look at its time limits when a server listens.
  server.emit('listening');
  return server;
}

function sentOf(request: IncomingMessage): Parameters<typeof readRequest>[0] {
  return { method: request.method ?? '', url: request.url ?? '', httpVersion: request.httpVersion, rawHeaders: request.rawHeaders };
}
