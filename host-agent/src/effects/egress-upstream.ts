// SPDX-License-Identifier: Apache-2.0
import { Agent, type AgentOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Target } from '../egress/target.ts';
import type { Dial } from './dial.ts';

/**
 * Connections to one place for one connection of one agent: requests that follow one another use one, as they would without us. Nothing is
 * shared between agents, nor between two connections of one.
 */
export class Upstream extends Agent {
  private readonly dial: () => Promise<Socket>;

  constructor(to: Target, secure: boolean, dial: Dial) {
    // Of a connection that waits; shorter than servers keep one: a request that meets a connection which the host has just closed would fail.
    super({ keepAlive: true, maxSockets: 32, maxFreeSockets: 4, timeout: 4_000, keepAliveMsecs: 1000 } satisfies AgentOptions);
    this.dial = () => (secure ? dial.tls(to) : dial.tcp(to));
  }

  // Node's HTTP client would resolve the name itself, and anew for each connection.
  override createConnection(_options: unknown, told?: (fault: Error | null, socket: Duplex) => void): null {
    this.dial().then(
      (socket) => told?.(null, socket),
      (fault: Error) => told?.(fault, undefined as never),
    );
    return null;
  }
}
