// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { UNKNOWN } from '../ledger/append-queue.ts';
import type { ChainHead } from '../ledger/chain.ts';
import type { QueryFilter } from '../ledger/filter.ts';
import { UNKNOWN_APPEND } from '../ledger/ledger-store.ts';
import type { EntryDraft, JsonObject, JsonValue } from '../ledger/entry.ts';
import { parseReceipt } from '../ledger/receipt.ts';
import { isCount, isHash, isObject } from '../ledger/shape.ts';
import type { Appended, LedgerPort, PermitStamp } from '../tool-call/ports.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import { connectOnce, openLine, type Line } from './ledger-line.ts';

export type LedgerClient = LedgerPort & { readonly close: () => void };

/** How long an answer may take; a commit takes milliseconds. */
const ANSWER_MS = 10_000;
/** Until the ledger answers or ends: reading all of it takes as long as it takes. */
const NO_LIMIT = 2 ** 31 - 1;

/**
 * Writes to the ledger. A refusal says that nothing was recorded. When the connection broke, or time ran out, between
 * asking and the answer, nobody can know: that is a fault, and it is never sent again, for two intents of one call
 * would be a lie.
 */
export function connectLedger(path: string, answerMs: number = ANSWER_MS): LedgerClient {
  let line: Promise<Line> | null = null;
  let closed = false;

  async function append(draft: EntryDraft, permit: PermitStamp | null): Promise<Result<Appended>> {
    let opened: Line;
    try {
      opened = await currentLine();
    } catch (fault) {
      return refuse(`ledger_unavailable: nothing was recorded; ${(fault as Error).message}`);
    }
    const answer = await opened.ask({ op: 'append', draft, permit }, answerMs);
    if (answer['ok'] === true) return accept(parseAppended(answer));
    const error = String(answer['error']);
    if (error.startsWith(UNKNOWN)) throw notKnown(error);
    return refuse(error);
  }

  async function currentLine(): Promise<Line> {
    if (closed) throw new Error('this connection was closed');
    const before = line;
    const known = before === null ? null : await before.catch(() => null);
    if (known !== null && !known.ended()) return known;
    // Whoever comes first opens a new one; everybody else waits for the same.
    if (line === before || line === null) line = openLine(path, notKnown);
    return line;
  }

  function close(): void {
    closed = true;
    line?.then((opened) => opened.end(), () => {});
  }

  return { append, close };
}

function notKnown(why: string): Error {
  const fault = new Error(`not known whether recorded: ${why}; look in the ledger before doing it again`);
  return Object.assign(fault, { code: UNKNOWN_APPEND });
}

function parseAppended(answer: JsonObject): Appended {
  const { seq, hash, receipt } = answer;
  const parsed = receipt === null ? accept(null) : parseReceipt(receipt);
  if (!isCount(seq) || !isHash(hash) || !parsed.ok) throw notKnown('the answer cannot be understood');
  return { seq, hash, receipt: parsed.value };
}

/** `damaged`: the bytes do not have the hash any more; nothing they say can be relied on. */
export type ReadEntry = { readonly seq: number; readonly bytes: string; readonly hash: string; readonly damaged?: true };
export type LedgerFacts = {
  readonly boot: string;
  readonly first: number;
  readonly seq: number;
  readonly hash: string;
  readonly segments: number;
  readonly receiptKey: string;
  readonly keyProtection: 'file';
  /** Why the ledger takes no entries, or null. */
  readonly problem: string | null;
};
export type VerifyAnswer =
  | { readonly verified: number; readonly first: number; readonly last: number; readonly head: ChainHead }
  | { readonly bad: { readonly seq: number; readonly segment: string; readonly reason: string } };

export type LedgerReader = {
  readonly query: (filter: QueryFilter) => Promise<{ readonly entries: readonly ReadEntry[]; readonly next: number | null }>;
  readonly head: () => Promise<LedgerFacts>;
  readonly verify: (from?: number, to?: number) => Promise<VerifyAnswer>;
  /** Resolves when `stop` aborts; rejects when the ledger ends it. */
  readonly follow: (filter: QueryFilter, onEntry: (entry: ReadEntry) => void, stop: AbortSignal) => Promise<void>;
  readonly close: () => void;
};

/** Reads the ledger. Every method rejects with the ledger's own words when it refuses. Verifying takes as long as it takes. */
export async function queryLedger(path: string): Promise<LedgerReader> {
  const line = await openLine(path, (why) => new Error(`the ledger did not answer: ${why}`));

  async function ask(question: JsonObject, answerMs: number): Promise<JsonObject> {
    const answer = await line.ask(question, answerMs);
    if (answer['ok'] === true) return answer;
    throw new Error(String(answer['error']));
  }

  return {
    query: async (filter) => (await ask({ op: 'query', filter }, 60_000)) as unknown as Awaited<ReturnType<LedgerReader['query']>>,
    head: async () => (await ask({ op: 'head' }, 10_000)) as unknown as LedgerFacts,
    verify: async (from, to) => {
      const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
      return (await ask({ op: 'verify', ...range }, NO_LIMIT)) as unknown as VerifyAnswer;
    },
    follow: (filter, onEntry, stop) => follow(path, filter, onEntry, stop),
    close: () => line.end(),
  };
}

async function follow(path: string, filter: QueryFilter, onEntry: (entry: ReadEntry) => void, stop: AbortSignal): Promise<void> {
  const socket = await connectOnce(path);
  return new Promise((resolve, reject) => {
    const end = (): void => {
      socket.destroy();
      resolve();
    };
    if (stop.aborted) return end();
    stop.addEventListener('abort', end, { once: true });
    readJsonLines(socket, {
      maxBytes: MAX_LINE,
      onValue: (value: JsonValue) => {
        const entry = isObject(value) ? value['entry'] : undefined;
        if (isObject(entry)) onEntry(entry as ReadEntry);
        else if (isObject(value) && value['ok'] === false) reject(new Error(String(value['error'])));
      },
      onViolation: (reason) => reject(new Error(`the ledger's answer cannot be read: ${reason}`)),
    });
    socket.on('error', reject);
    socket.on('close', () => {
      stop.removeEventListener('abort', end);
      reject(new Error('the ledger ended the connection'));
    });
    writeJsonLine(socket, { id: 1, op: 'follow', filter });
  });
}
