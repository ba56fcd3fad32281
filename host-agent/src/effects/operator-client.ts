// SPDX-License-Identifier: Apache-2.0
import { connect } from 'node:net';
import type { OperatorAnswer, OperatorRequest } from '../door/operator-wire.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { OWN_LIMITS } from '../door/strict-json.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';

/** An answer, or the reason why there was none. */
export type Asked<T> = OperatorAnswer<T> | { readonly ok: null; readonly error: string };

const MOST_BYTES = 8 * 1024 * 1024;

/** One request on a connection of its own. Starting and stopping a unit may take as long as systemd gives it. */
export function askOperator<T>(path: string, request: OperatorRequest, waitMs = 150_000, stop?: AbortSignal): Promise<Asked<T>> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const timer = setTimeout(() => finish({ ok: null, error: `holdfastd did not answer within ${Math.round(waitMs / 1_000)} s` }), waitMs);
    const given = (): void => finish({ ok: null, error: 'no longer waited for' });
    const finish = (answer: Asked<T>): void => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', given);
      socket.destroy();
      resolve(answer);
    };
    socket.on('error', (fault: NodeJS.ErrnoException) => finish({ ok: null, error: unreachable(fault, path) }));
    socket.on('close', () => finish({ ok: null, error: 'holdfastd closed the connection without an answer; its journal says why' }));
    readJsonLines(socket, {
      maxBytes: MOST_BYTES,
      limits: OWN_LIMITS,
      // The shape is holdfastd's word, over a socket that only root and holdfastd can make.
      onValue: (value: JsonValue) => finish(value as unknown as OperatorAnswer<T>),
      onViolation: (reason) => finish({ ok: null, error: `the answer of holdfastd cannot be read: ${reason}` }),
    });
    writeJsonLine(socket, request);
    if (stop?.aborted === true) given();
    stop?.addEventListener('abort', given, { once: true });
  });
}

/** Words for the usual reasons that a socket of ours cannot be reached. */
export function unreachable(fault: NodeJS.ErrnoException, path: string): string {
  switch (fault.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `nothing listens at ${path}; look at the journal of the unit that should`;
    case 'EACCES':
    case 'EPERM':
      return `uid ${process.getuid?.() ?? '?'} may not connect to ${path}; it is for operators`;
    default:
      return `cannot use ${path}: ${fault.message}`;
  }
}
