// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import type { JsonValue } from '../ledger/entry.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import { peerOf } from './peer.ts';

export type EgressHandlers = {
  /** holdfast-egress has this uid, and nobody else is served. */
  readonly uid: number | null;
  readonly connect: (send: (message: JsonValue) => void) => { readonly said: (message: JsonValue) => void; readonly closed: () => void };
  readonly onRefused: (uid: number, why: string) => void;
  readonly onFault: (fault: unknown) => void;
};

/** One is enough; a second is its own after a restart, before the first is known to be gone. */
const MOST_CONNECTIONS = 4;
const LINE_BYTES = 64 * 1024;

/** Where holdfast-egress asks for each way out. */
export function serveEgress(server: Server, handlers: EgressHandlers): { readonly close: () => void } {
  const live = new Set<Socket>();
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    const uid = uidOf(socket);
    if (uid === null || uid !== handlers.uid || live.size >= MOST_CONNECTIONS) {
      if (uid !== null) handlers.onRefused(uid, uid === handlers.uid ? `more than ${MOST_CONNECTIONS} connections` : `uid ${uid} is not holdfast-egress`);
      return void socket.destroy();
    }
    live.add(socket);
    const line = handlers.connect((message) => void writeJsonLine(socket, message));
    socket.on('close', () => {
      live.delete(socket);
      line.closed();
    });
    readJsonLines(socket, {
      maxBytes: LINE_BYTES,
      onValue: (message) => line.said(message),
      onViolation: (reason) => handlers.onFault(new Error(`the connection of holdfast-egress is cut: ${reason}`)),
    });
  });
  return {
    close: () => {
      server.close();
      for (const socket of live) socket.end();
    },
  };
}

function uidOf(socket: Socket): number | null {
  try {
    return peerOf(socket).uid;
  } catch {
    return null;
  }
}
