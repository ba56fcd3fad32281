// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';

/** How long a restart of the ledger is waited for before anything was sent. */
const CONNECT_MS = 3_000;
const RETRY_MS = 50;

const LEDGER = { name: 'the ledger', maxBytes: MAX_LINE };

/** One connection on which many questions may wait for their answers. */
export type Line = {
  readonly ask: (question: JsonObject, answerMs: number) => Promise<JsonObject>;
  readonly ended: () => boolean;
  readonly end: () => void;
};

type Asker = { readonly resolve: (answer: JsonObject) => void; readonly reject: (fault: Error) => void };

/** `whenLost` says, for the asker, what an answer that never came means. */
export async function openLine(path: string, whenLost: (why: string) => Error, peer: { readonly name: string; readonly maxBytes: number } = LEDGER): Promise<Line> {
  const socket = await connected(path);
  const askers = new Map<number, Asker>();
  let next = 1;
  let lost = `the connection to ${peer.name} ended`;

  readJsonLines(socket, {
    maxBytes: peer.maxBytes,
    onValue: (value) => {
      const id = isObject(value) ? value['id'] : null;
      const asker = typeof id === 'number' ? askers.get(id) : undefined;
      if (asker === undefined) return;
      askers.delete(id as number);
      asker.resolve(value as JsonObject);
    },
    onViolation: (reason) => {
      lost = `the answer of ${peer.name} cannot be read: ${reason}`;
    },
  });
  socket.on('error', (fault) => {
    lost = fault.message;
  });
  socket.on('close', () => {
    for (const asker of askers.values()) asker.reject(whenLost(lost));
    askers.clear();
  });

  function ask(question: JsonObject, answerMs: number): Promise<JsonObject> {
    const id = next;
    next += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (askers.delete(id)) reject(whenLost(`no answer within ${answerMs} ms`));
      }, answerMs);
      const settle = <T>(done: (value: T) => void) => (value: T) => {
        clearTimeout(timer);
        done(value);
      };
      askers.set(id, { resolve: settle(resolve), reject: settle(reject) });
      if (!writeJsonLine(socket, { id, ...question }) && askers.delete(id)) {
        clearTimeout(timer);
        reject(whenLost(lost));
      }
    });
  }

  return { ask, ended: () => socket.destroyed || !socket.writable, end: () => socket.end() };
}

async function connected(path: string): Promise<Socket> {
  const until = Date.now() + CONNECT_MS;
  for (;;) {
    try {
      return await connectOnce(path);
    } catch (fault) {
      const { code } = fault as NodeJS.ErrnoException;
      if ((code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'EAGAIN') || Date.now() >= until) throw fault;
    }
    await sleep(RETRY_MS);
  }
}

export function connectOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
