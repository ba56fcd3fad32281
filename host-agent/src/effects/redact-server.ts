// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import type { JsonValue } from '../ledger/entry.ts';
import { isCount, isObject } from '../ledger/shape.ts';
import type { Redactor, RedactionStream } from '../secret/redaction.ts';
import { MAX_REDACT_LINE, MOST_STREAMS, MOST_TEXTS, MOST_UNITS, parseRedactAsk, type RedactAnswer, type RedactAsk } from '../secret/redact-wire.ts';
import { readJsonLines, writeJsonLine } from './json-lines.ts';
import { peerOf } from './peer.ts';

export type RedactPorts = {
  /** Of the secrets that are open now; null while the store is closed, when nobody can say what is to be removed. */
  readonly redactor: () => Redactor | null;
  /** Whoever may ask can try texts and learn from the answer which are secrets: holdfastd and the ledger, and nobody else. */
  readonly mayAsk: (uid: number) => boolean;
  /** Never with a text in it. */
  readonly onRefused: (facts: { readonly uid: number | null; readonly why: string }) => void;
};

const MAX_CLIENTS = 16;
const LIMITS = { maxDepth: 4, maxValues: MOST_TEXTS + 16, maxKeys: 8, maxString: MOST_UNITS };

type Stream = { readonly by: Redactor; readonly stream: RedactionStream; readonly utf8: TextDecoder };

/** `holdfast-secretd` removes what it knows from texts that others are about to write (R46, R58). The secrets stay here. */
export function serveRedactions(server: Server, ports: RedactPorts): void {
  server.maxConnections = MAX_CLIENTS;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    const why = whyNot(socket, ports);
    if (why !== null) {
      writeJsonLine(socket, { id: null, ok: false, error: why });
      socket.destroySoon();
      return;
    }
    const streams = new Map<number, Stream>();
    readJsonLines(socket, {
      maxBytes: MAX_REDACT_LINE,
      limits: LIMITS,
      onValue: (value) => writeJsonLine(socket, answer(value, streams, ports), 2 * MAX_REDACT_LINE),
      onViolation: (reason) => {
        ports.onRefused({ uid: null, why: reason });
        writeJsonLine(socket, { id: null, ok: false, error: reason });
      },
    });
  });
}

/** Null also means that the kernel was asked: who cannot be told from others is none of them. */
function whyNot(socket: Socket, { mayAsk, onRefused }: RedactPorts): string | null {
  let uid: number | null = null;
  try {
    ({ uid } = peerOf(socket));
  } catch {
    // Gone already.
  }
  if (uid !== null && mayAsk(uid)) return null;
  const why = uid === null ? 'nobody can say who asks' : `uid ${uid} may not have text redacted`;
  onRefused({ uid, why });
  return why;
}

function answer(value: JsonValue, streams: Map<number, Stream>, { redactor }: RedactPorts): JsonValue {
  const ask = parseRedactAsk(value);
  if (!ask.ok) return { id: isObject(value) && isCount(value['id']) ? value['id'] : null, ok: false, error: ask.error };
  const { id } = ask.value;
  const open = redactor();
  if (open === null) streams.clear();
  if (open === null) return { id, ok: false, error: 'the store of secrets is closed: nobody can say what is to be removed; an operator opens it with `holdfast secret unlock`' };
  const done = 'texts' in ask.value ? open.texts(ask.value.texts) : nextPart(ask.value, open, streams);
  return typeof done === 'string' ? { id, ok: false, error: done } : { id, ok: true, ...done };
}

/** Secrets may change while a text comes: what is held back then goes through the old ones, and what comes through the new ones. */
function nextPart({ part, of, last }: Extract<RedactAsk, { readonly part: string }>, open: Redactor, streams: Map<number, Stream>): RedactAnswer | string {
  let known = streams.get(of);
  let before = '';
  try {
    if (known !== undefined && known.by !== open) {
      before = known.utf8.decode(known.stream.end());
      known = undefined;
    }
    if (known === undefined && streams.size >= MOST_STREAMS && !streams.has(of)) return `${MOST_STREAMS} texts are being redacted, and no more can be`;
    known ??= { by: open, stream: open.stream(), utf8: new TextDecoder('utf-8', { ignoreBOM: true }) };
    streams.set(of, known);
    const { stream, utf8 } = known;
    const text = utf8.decode(stream.push(new TextEncoder().encode(part)), { stream: true });
    const rest = last ? utf8.decode(stream.end()) : '';
    if (last) streams.delete(of);
    return { texts: [before + text + rest], found: stream.found() };
  } catch {
    // Only a redactor that was wiped throws: the end of what it held back can be judged by nobody any more.
    streams.delete(of);
    return 'the secrets were changed in the middle of a text; its last characters are withheld';
  }
}
