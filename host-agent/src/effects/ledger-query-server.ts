// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import { refuse, type Result } from '../identity/result.ts';
import { leafHash } from '../ledger/digest.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { parseFilter } from '../ledger/filter.ts';
import type { LedgerStore, StoredEntry } from '../ledger/ledger-store.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';
import { verifyLedger, type Range } from '../ledger/verify.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import type { Followers } from './ledger-followers.ts';

export type QueryPorts = {
  readonly store: LedgerStore;
  readonly followers: Followers;
  readonly boot: string;
  /** The 32 bytes of the receipt key in base64. */
  readonly receiptKey: string;
};

const MAX_READERS = 256;
/** Questions that may wait on one connection. */
const MAX_WAITING = 32;
/** Each verification takes its share of one processor. */
const MAX_VERIFYING = 4;

export function serveQueries(server: Server, ports: QueryPorts): void {
  let verifying = 0;
  server.maxConnections = MAX_READERS;
  server.on('connection', (socket) => {
    let waiting = 0;
    let turn: Promise<void> = Promise.resolve();
    socket.on('error', () => socket.destroy());
    readJsonLines(socket, {
      maxBytes: MAX_LINE,
      onValue: (value) => {
        waiting += 1;
        if (waiting > MAX_WAITING) return cut(socket, `more than ${MAX_WAITING} questions wait for their answers`);
        // One after the other: who asks fast waits for himself.
        turn = turn.then(() => answer(socket, value)).finally(() => (waiting -= 1));
      },
      onViolation: (reason) => void writeJsonLine(socket, { id: null, ok: false, error: reason }),
    });
  });

  async function answer(socket: Socket, value: JsonValue): Promise<void> {
    if (socket.destroyed) return;
    const id = isObject(value) && isCount(value['id']) ? value['id'] : null;
    try {
      const asked = isObject(value) && id !== null;
      const body = asked ? await answerTo(socket, id, value) : refuse('a question must be an object with a positive id');
      if (body === null) return;
      writeJsonLine(socket, body.ok ? { id, ok: true, ...body.value } : { id, ok: false, error: body.error });
    } catch (fault) {
      writeJsonLine(socket, { id, ok: false, error: `cannot read the ledger: ${fault instanceof Error ? fault.message : String(fault)}` });
    }
  }

  /** Null when the answer is a stream that has begun. */
  async function answerTo(socket: Socket, id: number, question: JsonObject): Promise<Result<JsonObject> | null> {
    const { op, id: _id, ...rest } = question;
    switch (op) {
      case 'query':
        return query(rest, ports.store);
      case 'head':
        return head(rest, ports);
      case 'follow':
        return follow(socket, id, rest, ports);
      case 'verify': {
        const range = parseRange(rest, ports.store.head().seq);
        if (!range.ok) return range;
        if (verifying >= MAX_VERIFYING) return refuse(`${MAX_VERIFYING} verifications are under way; try again when one is done`);
        verifying += 1;
        try {
          return await verify(socket, range.value, ports.store);
        } finally {
          verifying -= 1;
        }
      }
      default:
        return refuse('op must be query, head, verify or follow');
    }
  }
}

function cut(socket: Socket, error: string): void {
  writeJsonLine(socket, { id: null, ok: false, error });
  socket.destroy();
}

async function query(rest: JsonObject, store: LedgerStore): Promise<Result<JsonObject>> {
  const fields = checkFields(rest, ['filter']);
  if (!fields.ok) return fields;
  const filter = parseFilter(rest['filter']);
  if (!filter.ok) return filter;
  const page = await store.query(filter.value);
  return { ok: true, value: { entries: page.entries.map(shown), next: page.next } };
}

function head(rest: JsonObject, { store, boot, receiptKey }: QueryPorts): Result<JsonObject> {
  const fields = checkFields(rest, []);
  if (!fields.ok) return fields;
  const { seq, hash } = store.head();
  const segments = store.segments();
  const first = segments[0]?.first ?? 1;
  const problem = store.problem();
  return { ok: true, value: { boot, first, seq, hash, segments: segments.length, receiptKey, keyProtection: 'file', problem } };
}

function follow(socket: Socket, id: number, rest: JsonObject, { followers }: QueryPorts): Result<JsonObject> | null {
  const fields = checkFields(rest, ['filter']);
  if (!fields.ok) return fields;
  const filter = parseFilter(rest['filter']);
  if (!filter.ok) return filter;
  const { limit, beforeSeq, newestFirst } = filter.value;
  const ends = limit !== undefined || beforeSeq !== undefined || newestFirst !== undefined;
  if (ends) return refuse('following has no limit, beforeSeq or newestFirst');
  followers.add(socket, id, filter.value);
  return null;
}

async function verify(socket: Socket, range: Range, store: LedgerStore): Promise<Result<JsonObject>> {
  const verdict = await verifyLedger(store, range, async () => {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (socket.destroyed) throw new Error('whoever asked has gone');
  });
  if (!verdict.ok) return { ok: true, value: { bad: verdict.bad } };
  const { verified, first, last, head: newest } = verdict;
  return { ok: true, value: { verified, first, last, head: newest } };
}

function parseRange(rest: JsonObject, newest: number): Result<Range> {
  const fields = checkFields(rest, ['from', 'to'].filter((field) => Object.hasOwn(rest, field)));
  if (!fields.ok) return fields;
  const { from, to } = rest;
  if ((from !== undefined && !isCount(from)) || (to !== undefined && !isCount(to))) return refuse('from and to must be positive integers');
  if ((from ?? 1) > (to ?? Infinity)) return refuse(`from ${from} comes after to ${to}`);
  if (Math.max(from ?? 0, to ?? 0) > newest) return refuse(`the ledger ends at entry ${newest}`);
  return { ok: true, value: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) } };
}

/** Bytes that are no longer what was recorded are shown, and said to be so: leaving them out would hide the damage. */
export function shown({ seq, bytes, hash }: StoredEntry): JsonObject {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  return leafHash(bytes) === hash ? { seq, bytes: text, hash } : { seq, bytes: text, hash, damaged: true };
}
