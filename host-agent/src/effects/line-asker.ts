// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from 'node:net';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';

/**
 * Questions with numbers over one connection to a socket of ours, opened anew when it has ended. A question is sent once: who does not
 * know whether it was heard is told so, and asks no second time by itself.
 */
export type LineAsker = {
  /** Null: it could not be asked, or the connection ended before its answer, or time ran out. */
  readonly ask: (question: JsonObject) => Promise<JsonObject | null>;
  /** False when nobody is there to be told. */
  readonly tell: (value: JsonObject) => boolean;
  /** The same, and looks for somebody first. */
  readonly tellAnyhow: (value: JsonObject) => Promise<boolean>;
  readonly close: () => void;
};

export type LineAskerEvents = {
  /** A line that answers nothing. */
  readonly onTold?: (value: JsonObject) => void;
  /** An answer to what nobody waits for any more. */
  readonly onLate?: (value: JsonObject) => void;
  /** The connection was there, and is not any more. */
  readonly onLost?: () => void;
};

const ANSWER_MS = 10_000;
const CONNECT_MS = 2_000;
const PENDING_MAX = 10_000;

export function lineAsker(path: string, { onTold = () => {}, onLate = () => {}, onLost = () => {} }: LineAskerEvents = {}, answerMs = ANSWER_MS): LineAsker {
  const pending = new Map<number, (answer: JsonObject | null) => void>();
  let current: Promise<Socket | null> | null = null;
  let open: Socket | null = null;
  let last = 0;
  let closed = false;

  function line(): Promise<Socket | null> {
    if (open !== null && !open.destroyed) return Promise.resolve(open);
    current ??= dial().finally(() => (current = null));
    return current;
  }

  function dial(): Promise<Socket | null> {
    if (closed) return Promise.resolve(null);
    return new Promise((resolve) => {
      const socket = connect(path);
      const late = setTimeout(() => socket.destroy(), CONNECT_MS);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        clearTimeout(late);
        resolve(null);
        if (open !== socket) return;
        open = null;
        for (const answer of [...pending.values()]) answer(null);
        onLost();
      });
      socket.once('connect', () => {
        clearTimeout(late);
        if (closed) return void socket.destroy();
        open = socket;
        readJsonLines(socket, { maxBytes: MAX_LINE, onValue: (value) => take(socket, value), onViolation: () => socket.destroy(), onEnd: () => socket.destroy() });
        resolve(socket);
      });
    });
  }

  function take(socket: Socket, value: JsonValue): void {
    if (!isObject(value)) return void socket.destroy();
    if (value['id'] === undefined) return onTold(value);
    const answer = typeof value['id'] === 'number' ? pending.get(value['id']) : undefined;
    if (answer === undefined) onLate(value);
    else answer(value);
  }

  async function ask(question: JsonObject): Promise<JsonObject | null> {
    const socket = await line();
    if (socket === null || socket.destroyed || pending.size >= PENDING_MAX) return null;
    const id = (last += 1);
    return new Promise((resolve) => {
      const answer = (value: JsonObject | null): void => {
        clearTimeout(late);
        pending.delete(id);
        resolve(value);
      };
      const late = setTimeout(() => answer(null), answerMs);
      pending.set(id, answer);
      if (!writeJsonLine(socket, { id, ...question })) answer(null);
    });
  }

  return {
    ask,
    tell: (value) => open !== null && writeJsonLine(open, value),
    tellAnyhow: async (value) => {
      // Without waiting where it need not: whoever closes next still has it said.
      if (open !== null && !open.destroyed) return writeJsonLine(open, value);
      const socket = await line();
      return socket !== null && !socket.destroyed && writeJsonLine(socket, value);
    },
    close: () => {
      closed = true;
      // What was told last is still written.
      open?.end();
    },
  };
}
