// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from 'node:net';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit, RunResult } from '../sandbox/permit.ts';
import { atBootMillis, bootMillis } from './clock.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import { ANSWER_MS, parseRunAnswer, type RunAnswer } from './run-wire.ts';

export type RunnerConnection = {
  /**
   * The error of a refusal starts with the runner's code and a colon (RunRefusal), or with `connection:`. `cancelled` has the
   * runner end the call at once; how it ended is answered as always.
   */
  readonly run: (permit: Permit, receipt: Receipt, stdin: Uint8Array | null, cancelled?: AbortSignal) => Promise<Result<RunResult>>;
  /** What a container has written, or its end. */
  readonly container: (name: string, act: 'logs' | 'stop') => Promise<Result<JsonValue>>;
  /** Ends every call that still runs over this connection. */
  readonly close: () => void;
};

/** Connects at the first call, and anew at the next one after the runner has gone: its socket starts it. */
export function connectRunner(path: string, now: () => number = bootMillis): RunnerConnection {
  const waiting = new Map<number, (result: RunAnswer['result']) => void>();
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

  /** `due` is when an answer has to be there; `soon` brings that nearer. */
  function ask(request: JsonObject, due: number, onAnswer: (result: RunAnswer['result']) => void): { readonly tell: (op: string) => void; readonly soon: () => void } | null {
    socket ??= open();
    const to = socket;
    const id = next++;
    // What it holds ends with the connection, as everything does that nobody is left to record.
    const cutOff = (): void => {
      to.destroy();
      if (socket === to) lose('it did not answer a call whose time was over, and was cut off');
    };
    let letBe = atBootMillis(due, cutOff, now);
    waiting.set(id, (result) => {
      letBe();
      onAnswer(result);
    });
    if (!writeJsonLine(to, { id, ...request }) && waiting.delete(id)) {
      letBe();
      return null;
    }
    return {
      tell: (op) => void writeJsonLine(to, { id, op }),
      soon: () => {
        if (!waiting.has(id)) return;
        letBe();
        letBe = atBootMillis(Math.min(due, now() + ANSWER_MS), cutOff, now);
      },
    };
  }

  return {
    run(permit, receipt, stdin, cancelled) {
      if (closed) return Promise.resolve(refuse('connection: it was closed'));
      return new Promise((resolve) => {
        let cancel = (): void => undefined;
        const request = { op: 'run', permit, receipt, stdin: stdin === null ? null : Buffer.from(stdin).toString('base64') };
        const asked = ask(request as unknown as JsonObject, permit.notAfter + ANSWER_MS, (answered) => {
          cancelled?.removeEventListener('abort', cancel);
          resolve(answered.ok && 'container' in answered.value ? refuse('connection: the runner answered another question') : (answered as Result<RunResult>));
        });
        if (asked === null) return resolve(refuse('connection: the runner does not take requests'));
        cancel = (): void => {
          asked.tell('cancel');
          asked.soon();
        };
        if (cancelled?.aborted === true) cancel();
        else cancelled?.addEventListener('abort', cancel, { once: true });
      });
    },
    container(name, act) {
      if (closed) return Promise.resolve(refuse('connection: it was closed'));
      return new Promise((resolve) => {
        const asked = ask({ op: 'container', name, act }, now() + ANSWER_MS, (answered) => {
          if (!answered.ok) return resolve(answered);
          resolve('container' in answered.value ? accept(answered.value.container) : refuse('connection: the runner answered another question'));
        });
        if (asked === null) resolve(refuse('connection: the runner does not take requests'));
      });
    },
    close() {
      closed = true;
      socket?.destroy();
    },
  };
}
