// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';
import { refusal } from '../egress/net-refusal.ts';
import type { Target } from '../egress/target.ts';
import type { AgentName } from '../identity/ids.ts';
import { DialFault, type Dial } from './dial.ts';
import { stoppedRefusal } from './egress-request.ts';
import { firstHello, WRONG_NAME_ALERT } from './first-hello.ts';
import type { Ways } from './open-ways.ts';
import { endWith, refuseSocket } from './refuse-http.ts';
import { splice } from './splice.ts';

export const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';

/** CONNECT to a host whose bytes pass unread: judged, connected, then held to the name it was judged for. */
export async function carryTunnel(agent: AgentName, to: Target, program: Duplex, head: Buffer, ports: { readonly ways: Ways; readonly dial: Dial; readonly idleMs: () => number }): Promise<void> {
  const opened = await ports.ways.open({ ask: 'open', agent, what: 'tunnel', host: to.host, port: to.port, method: null, path: null, secrets: [], model: null, upgrade: null });
  if (!opened.ok) return refuseSocket(program, opened.refusal);
  const { way } = opened;
  let host: Duplex & { readonly remoteAddress?: string | undefined };
  try {
    host = await ports.dial.tcp(to);
  } catch (fault) {
    const dialled = fault instanceof DialFault ? fault : new DialFault(refusal('unreachable', `${to.host} cannot be reached`), 'failed');
    way.end(dialled.how, { why: dialled.refusal.rule });
    return refuseSocket(program, dialled.refusal);
  }
  host.on('error', () => host.destroy());
  const address = host.remoteAddress ?? null;
  const stopped = way.stopped();
  if (stopped !== null || program.destroyed) {
    host.destroy();
    way.end('failed', { address, why: 'the program hung up' });
    return stopped === null ? void program.destroy() : refuseSocket(program, stoppedRefusal(stopped, to));
  }
  // A cut while the name is awaited.
  way.onStop(() => {
    host.destroy();
    program.destroy();
  });
  program.write(ESTABLISHED);
  if (head.length > 0) program.unshift(head);
  const hello = await firstHello(program, to.host, true);
  if (!hello.ok || program.destroyed || host.destroyed) {
    host.destroy();
    endWith(program, WRONG_NAME_ALERT);
    return way.end(hello.ok ? 'failed' : 'refused', { address, why: hello.ok ? 'one side hung up' : `tls_name: ${hello.error}` });
  }
  if (!way.up(hello.value.length)) return way.end('quota', { address });
  host.write(hello.value);
  splice(program, host, way, ports.idleMs(), (how) => way.end(how === 'ok' ? 'ok' : 'failed', { address, why: how === 'ok' ? null : how }));
}
