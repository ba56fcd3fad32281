// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from 'node:net';
import { refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit, RunResult } from '../sandbox/permit.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import { parseRunAnswer } from './run-wire.ts';

export type RunnerConnection = {
  /**
   * The error of a refusal starts with the runner's code and a colon (RunRefusal), or with `connection:`. `cancelled` has the
   * runner end the call at once; how it ended is answered as always.
   */
  readonly run: (permit: Permit, receipt: Receipt, stdin: Uint8Array | null, cancelled?: AbortSignal) => Promise<Result<RunResult>>;
  /** Ends every call that still runs over this connection. */
  readonly close: () => void;
};

/** Connects at the first call, and anew at the next one after the runner has gone: its socket starts it. */
export function connectRunner(path: string): RunnerConnection {
  const waiting = new Map<number, (result: Result<RunResult>) => void>();
  let socket: Socket | null = null;
  let closed = false;
  let next = 1;

  function lose(why: string): void {
    socket = null;
    const all = [...waiting.values()];
    waiting.clear();
    for (const settle of all) settle(refuse(`connection: the runner went away before its answer: ${why}`));
  }

  function open(): Socket {
    const opened = connect(path);
    let why = 'it closed the connection';
    opened.on('error', (fault) => (why = fault.message));
    opened.on('close', () => socket === opened && lose(why));
    readJsonLines(opened, {
      maxBytes: MAX_LINE,
      onValue: (value) => answer(value, opened),
      onViolation: (reason) => socket === opened && lose(reason),
    });
    return opened;
  }

  function answer(value: JsonValue, from: Socket): void {
    const answered = parseRunAnswer(value);
    const settle = answered === null || from !== socket ? undefined : waiting.get(answered.id);
    // An answer without form, or that nobody waits for: the two sides no longer agree on which is which (B12).
    if (answered === null || settle === undefined) {
      from.destroy();
      return void (socket === from && lose('it does not speak the protocol'));
    }
    waiting.delete(answered.id);
    settle(answered.result);
  }

  return {
    run(permit, receipt, stdin, cancelled) {
      if (closed) return Promise.resolve(refuse('connection: it was closed'));
      socket ??= open();
      const to = socket;
      const id = next++;
      const cancel = (): void => void writeJsonLine(to, { id, op: 'cancel' });
      return new Promise((resolve) => {
        waiting.set(id, (result) => {
          cancelled?.removeEventListener('abort', cancel);
          resolve(result);
        });
        const request = { id, op: 'run', permit, receipt, stdin: stdin === null ? null : Buffer.from(stdin).toString('base64') };
        if (!writeJsonLine(to, request as unknown as JsonValue) && waiting.delete(id)) {
          return resolve(refuse('connection: the runner does not take requests'));
        }
        if (cancelled?.aborted === true) cancel();
        else cancelled?.addEventListener('abort', cancel, { once: true });
      });
    },
    close() {
      closed = true;
      socket?.destroy();
    },
  };
}
