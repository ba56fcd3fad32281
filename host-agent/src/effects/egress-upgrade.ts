// SPDX-License-Identifier: Apache-2.0
import { request as requestUpstream } from 'node:http';
import type { Duplex } from 'node:stream';
import { keptResponseHeaders } from '../egress/headers.ts';
import { refusal } from '../egress/net-refusal.ts';
import type { ReadRequest } from '../egress/read-request.ts';
import { withoutSecrets } from '../egress/response-secrets.ts';
import type { AgentName } from '../identity/ids.ts';
import { redactor } from '../secret/redaction.ts';
import { DialFault } from './dial.ts';
import { askFor, headersUpstream, secretsFor, stoppedRefusal, type CarryPorts, type Patience } from './egress-request.ts';
import type { Upstream } from './egress-upstream.ts';
import { replaceInHead } from './header-secrets.ts';
import { refuseSocket } from './refuse-http.ts';
import { splice } from './splice.ts';

const UPGRADE_MS = 30_000;

/** A WebSocket where it is granted (RFC 6455). From the answer on, bytes pass unread, counted and cut like a tunnel's. */
export async function carryUpgrade(agent: AgentName, read: ReadRequest, program: Duplex, head: Buffer, upstream: Upstream, ports: CarryPorts & Pick<Patience, 'idleMs'>): Promise<void> {
  if (read.headers.chunked || (read.headers.length ?? 0) > 0) {
    const told = refusal('bad_request', 'a request for an upgrade has no body');
    ports.ways.turnedAway(agent, told, read.to);
    return refuseSocket(program, told);
  }
  const opened = await ports.ways.open(askFor(agent, read, null));
  if (!opened.ok) return refuseSocket(program, opened.refusal);
  const { way } = opened;
  const held = await secretsFor(read, way, ports);
  if (!held.ok) {
    way.end('refused', { why: held.refusal.rule });
    return refuseSocket(program, held.refusal);
  }
  const { headers, marked } = headersUpstream(read, held.value, null, false);
  const filter = redactor(held.value.map(({ name, value }) => ({ name, value })));
  for (const { value } of held.value) value.fill(0);
  const out = requestUpstream({
    agent: upstream, host: read.to.host, method: read.method, path: `${read.path.sent}${read.query}`, setHost: false,
    headers: [...headers.flat(), 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
  });
  let address: string | null = null;
  let begun = false;
  const late = setTimeout(() => out.destroy(new Error('no answer in time')), UPGRADE_MS);
  const fail = (fault: Error): void => {
    clearTimeout(late);
    if (begun) return;
    begun = true;
    filter.wipe();
    for (const { value } of marked) value.fill(0);
    const stopped = way.stopped();
    const told = stopped !== null ? stoppedRefusal(stopped, read.to) : fault instanceof DialFault ? fault.refusal : refusal('upstream_failed', `${read.to.host} did not upgrade (${fault.message})`);
    way.end(fault instanceof DialFault ? fault.how : 'failed', { address, why: told.rule });
    out.destroy();
    refuseSocket(program, told);
  };
  way.onStop(() => fail(new Error('stopped')));
  program.once('close', () => fail(new Error('the program hung up')));
  out.once('socket', (socket) => {
    address = socket.remoteAddress ?? null;
    replaceInHead(socket, marked);
  });
  out.once('error', fail);
  out.once('response', ({ statusCode }) => fail(new Error(`status ${statusCode}`)));
  out.once('upgrade', (answer, host, first) => {
    clearTimeout(late);
    if (begun) return void host.destroy();
    begun = true;
    const lines = withoutSecrets(keptResponseHeaders(answer.rawHeaders), filter).map(([name, value]) => `${name}: ${value}\r\n`);
    filter.wipe();
    program.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines.join('')}\r\n`, 'latin1');
    if (first.length > 0) host.unshift(first);
    if (head.length > 0) program.unshift(head);
    splice(program, host, way, ports.idleMs(), (how) => way.end(how === 'ok' ? 'ok' : 'failed', { address, status: 101, why: how === 'ok' ? null : how }));
  });
  out.end();
}
