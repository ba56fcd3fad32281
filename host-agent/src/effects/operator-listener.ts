// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import type { OperatorAnswer } from '../door/operator-wire.ts';
import type { Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import { peerOf } from './peer.ts';

export type OperatorHandlers = {
  /** May this uid come in at all? Asked once per connection and again, behind the door, for each request. */
  readonly admit: (uid: number) => Result<unknown>;
  readonly answer: (uid: number, message: JsonValue) => Promise<OperatorAnswer<JsonValue>>;
  readonly onRefused: (uid: number, why: string, count: number) => void;
  readonly onFault: (fault: unknown) => void;
};

export type OperatorListener = { readonly close: () => Promise<void> };

const MOST_CONNECTIONS = 64;
const MOST_WAITING = 16;
const LINE_BYTES = 1024 * 1024;
const IDLE_MS = 60_000;
/** A stranger who knocks for a minute makes two entries, not thousands (B22). */
const WINDOW_MS = 60_000;

export function serveOperators(server: Server, handlers: OperatorHandlers): OperatorListener {
  const live = new Set<Socket>();
  const working = new Set<Promise<void>>();
  const strangers = strangersAtTheDoor(handlers.onRefused);

  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    const uid = uidOf(socket);
    if (uid === null) return void socket.destroy();
    const full = { ok: false as const, error: `more than ${MOST_CONNECTIONS} connections; try again` };
    const admitted = live.size < MOST_CONNECTIONS ? handlers.admit(uid) : full;
    if (!admitted.ok) {
      strangers.knocked(uid, admitted.error);
      writeJsonLine(socket, { ok: false, error: admitted.error });
      socket.end();
      setTimeout(() => socket.destroy(), 1_000).unref();
      return;
    }
    live.add(socket);
    socket.on('close', () => live.delete(socket));
    serve(socket, uid);
  });

  function serve(socket: Socket, uid: number): void {
    let waiting = 0;
    let last: Promise<void> = Promise.resolve();
    socket.setTimeout(IDLE_MS, () => {
      if (waiting === 0) socket.destroy();
    });
    readJsonLines(socket, {
      maxBytes: LINE_BYTES,
      onValue: (message) => {
        if (waiting >= MOST_WAITING) return void socket.destroy();
        waiting += 1;
        // One after the other, so that answers come in the order of their requests.
        last = last.then(async () => {
          writeJsonLine(socket, (await answered(uid, message)) as unknown as JsonValue);
          waiting -= 1;
        });
        const work = last;
        working.add(work);
        void work.finally(() => working.delete(work));
      },
      onViolation: (reason) => void writeJsonLine(socket, { ok: false, error: `cannot read the request: ${reason}` }),
    });
  }

  async function answered(uid: number, message: JsonValue): Promise<OperatorAnswer<JsonValue>> {
    try {
      return await handlers.answer(uid, message);
    } catch (fault) {
      handlers.onFault(fault);
      return { ok: false, error: 'a fault in holdfastd stopped this; its journal says more' };
    }
  }

  return {
    close: async () => {
      server.close();
      await Promise.allSettled(working);
      for (const socket of live) socket.end();
      strangers.flush();
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

export type Strangers = { readonly knocked: (uid: number, why: string) => void; readonly flush: () => void };

export function strangersAtTheDoor(report: OperatorHandlers['onRefused']): Strangers {
  const counts = new Map<number, { why: string; more: number; readonly timer: NodeJS.Timeout }>();
  function over(uid: number): void {
    const known = counts.get(uid);
    if (known === undefined) return;
    clearTimeout(known.timer);
    counts.delete(uid);
    if (known.more > 0) report(uid, known.why, known.more);
  }
  return {
    knocked: (uid, why) => {
      const known = counts.get(uid);
      if (known !== undefined) {
        known.more += 1;
        return;
      }
      const timer = setTimeout(() => over(uid), WINDOW_MS);
      timer.unref();
      counts.set(uid, { why, more: 0, timer });
      report(uid, why, 1);
    },
    flush: () => {
      for (const uid of [...counts.keys()]) over(uid);
    },
  };
}
