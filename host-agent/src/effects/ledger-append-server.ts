// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import { parseAgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { AppendQueue } from '../ledger/append-queue.ts';
import type { SealedEntry } from '../ledger/chain.ts';
import type { EntryDraft, JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isHash, isObject, parseDraft } from '../ledger/shape.ts';
import type { PermitStamp } from '../tool-call/ports.ts';
import { MAX_LINE, readJsonLines, writeJsonLine } from './json-lines.ts';
import type { Log } from './log.ts';
import { peerOf } from './peer.ts';
import type { ReceiptSigner } from './receipt-signer.ts';

export type AppendPorts = {
  readonly queue: AppendQueue;
  readonly signer: ReceiptSigner;
  /** Id of the running boot, which every receipt names. */
  readonly boot: string;
  /** Name of the writer with this uid, null when nobody of that uid may write. */
  readonly writerOf: (uid: number) => string | null;
  readonly log: Log;
};

/** A draft holds what a door accepted, a few levels and keys further in. */
const LIMITS = { maxDepth: 64, maxKeys: 20_000 };
const MAX_WRITERS = 64;

export function serveAppends(server: Server, ports: AppendPorts): void {
  server.maxConnections = MAX_WRITERS;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    // Asked once, of the kernel, when the connection is made: who is told the name later does not get it.
    const source = writer(socket, ports);
    if (source === null) {
      socket.destroy();
      return;
    }
    readJsonLines(socket, {
      maxBytes: MAX_LINE,
      limits: LIMITS,
      onValue: (value) => handle(socket, source, value, ports),
      onViolation: (reason) => {
        ports.log.warn({ source, reason }, 'a connection to the append socket was cut');
        writeJsonLine(socket, { id: null, ok: false, error: reason });
      },
    });
  });
}

/** Null also when the kernel cannot be asked: then nobody knows who it is. */
function writer(socket: Socket, { writerOf, log }: AppendPorts): string | null {
  try {
    const { uid } = peerOf(socket);
    const source = writerOf(uid);
    if (source !== null) return source;
    log.warn({ uid }, 'a connection to the append socket was refused');
    writeJsonLine(socket, { id: null, ok: false, error: `uid ${uid} may not write to the ledger` });
  } catch (fault) {
    log.error({ error: fault instanceof Error ? fault.message : String(fault) }, 'a peer of the append socket cannot be told');
  }
  return null;
}

type AppendRequest = { readonly draft: EntryDraft; readonly permit: PermitStamp | null };

function handle(socket: Socket, source: string, value: JsonValue, ports: AppendPorts): void {
  const id = isObject(value) && isCount(value['id']) ? value['id'] : null;
  const request = parseRequest(value);
  if (!request.ok) {
    writeJsonLine(socket, { id, ok: false, error: request.error });
    return;
  }
  const { draft, permit } = request.value;
  ports.queue.push(source, draft, (result) => {
    writeJsonLine(socket, result.ok ? recorded(id, result.value, permit, ports) : { id, ok: false, error: result.error });
  });
}

function recorded(id: number | null, sealed: SealedEntry, permit: PermitStamp | null, ports: AppendPorts): JsonValue {
  const { seq } = sealed.entry;
  const receipt = permit === null
    ? null
    : ports.signer.sign({ boot: ports.boot, seq, permit: permit.digest, agent: permit.agent, notAfter: permit.notAfter });
  return { id, ok: true, seq, hash: sealed.hash, receipt };
}

function parseRequest(value: JsonValue): Result<AppendRequest> {
  if (!isObject(value)) return refuse('a request must be an object');
  const fields = checkFields(value, ['id', 'op', 'draft', 'permit']);
  if (!fields.ok) return fields;
  if (!isCount(value['id'])) return refuse('id must be a positive integer');
  if (value['op'] !== 'append') return refuse('op must be append');
  const draft = parseDraft(value['draft']);
  if (!draft.ok) return refuse(`draft: ${draft.error}`);
  if (value['permit'] === null) return accept({ draft: draft.value, permit: null });
  const permit = parseStamp(value['permit']);
  if (!permit.ok) return permit;
  const difference = stampProblem(draft.value, permit.value);
  return difference === null ? accept({ draft: draft.value, permit: permit.value }) : refuse(difference);
}

function parseStamp(value: JsonValue | undefined): Result<PermitStamp> {
  if (!isObject(value)) return refuse('permit must be null or an object');
  const fields = checkFields(value, ['digest', 'agent', 'notAfter']);
  if (!fields.ok) return refuse(`permit: ${fields.error}`);
  const { digest, agent, notAfter } = value;
  if (!isHash(digest)) return refuse('permit: digest must be 64 hex digits');
  if (!isCount(notAfter)) return refuse('permit: notAfter must be a positive integer');
  const name = typeof agent === 'string' ? parseAgentName(agent) : refuse('permit: agent must be text');
  return name.ok ? accept({ digest, agent: name.value, notAfter }) : name;
}

/** A receipt is given for what the entry says and for nothing else, or the record would not show what was allowed (E06). */
function stampProblem({ kind, data }: EntryDraft, permit: PermitStamp): string | null {
  if (kind !== 'call.intent' && kind !== 'net.intent') return `a permit comes with a call.intent or a net.intent, not with ${kind}`;
  if (data['permit_digest'] !== permit.digest) return 'the permit is not the one whose digest the intent records';
  if (data['agent'] !== permit.agent) return 'the permit is for another agent than the intent records';
  return data['not_after'] === permit.notAfter ? null : 'the permit ends at another time than the intent records';
}
