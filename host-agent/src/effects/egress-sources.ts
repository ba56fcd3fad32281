// SPDX-License-Identifier: Apache-2.0
import type { Server, Socket } from 'node:net';
import { parseStrictJson } from '../door/strict-json.ts';
import { parseHost } from '../egress/host.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import type { PublishedSources, SourcePlace } from '../secret/published-sources.ts';
import { DialFault, type Dial } from './dial.ts';
import { writeJsonLine } from './json-lines.ts';
import type { Log } from './log.ts';
import type { Ways } from './open-ways.ts';
import { peerOf } from './peer.ts';
import { splice } from './splice.ts';

// The way of holdfast-secretd to a source of secrets. It ends TLS itself, so that neither token nor value is ever seen here; and it says a
// name alone: which host and port that is, and at which address, was declared.

export type SourceWays = {
  readonly dial: Pick<Dial, 'tcp' | 'source'>;
  /** Records it, at holdfastd; why it cannot be, or null. */
  readonly note: Ways['note'];
  /** What holds now. */
  readonly declared: () => Result<PublishedSources>;
  /** holdfast-secretd, and nobody else. Its control group is null under a root of its own, where it is in none. */
  readonly caller: { readonly uid: number; readonly group: string | null };
  readonly log: Log;
};

/** More than holdfast-secretd opens. */
const MOST_WAYS = 16;
const ASK_BYTES = 256;
const ASK_MS = 2_000;
/** A question and its answer take seconds, and an answer that is larger is none. */
const WAY_MS = 15_000;
const MOST_UP = 256 * 1024;
const MOST_DOWN = 4 * 1024 * 1024;

export function serveSources(server: Server, ways: SourceWays): void {
  server.maxConnections = MOST_WAYS;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    const why = whyNotSecretd(socket, ways.caller);
    if (why !== null) {
      ways.log.warn({ why }, 'refused a connection that is not from holdfast-secretd');
      return void socket.destroy();
    }
    readAsk(socket, (asked) => void open(socket, asked, ways).catch((fault: unknown) => {
      ways.log.error({ fault: fault instanceof Error ? fault.message : String(fault) }, 'a way to a source was refused by a fault');
      socket.destroy();
    }));
  });
}

async function open(socket: Socket, asked: Result<string>, { dial, declared, note, log }: SourceWays): Promise<void> {
  const all = asked.ok ? declared() : asked;
  if (!all.ok) return refuseWay(socket, all.error);
  const place = all.value.sources.find(({ name }) => name === (asked.ok ? asked.value : ''));
  if (place === undefined) return refuseWay(socket, 'no source of this name is declared, or secrets are closed');
  // Not by who asks for it: holdfast-secretd opens no way that it could keep to itself.
  const { name: source, host: named, port, address } = place;
  const unrecorded = await note({ source, host: named, port, address });
  if (unrecorded !== null) return refuseWay(socket, unrecorded);
  const dialled = await reach(place, dial);
  if (!dialled.ok) {
    log.warn({ source: place.name, why: dialled.error }, 'a source was not reached');
    return refuseWay(socket, dialled.error);
  }
  const host = dialled.value;
  if (socket.destroyed) return void host.destroy();
  log.info({ source: place.name, host: place.host, port: place.port, address: host.remoteAddress ?? null }, 'a way to a source is open');
  writeJsonLine(socket, { ok: true });
  const stops: (() => void)[] = [];
  const stop = (why: string): false => {
    log.warn({ source: place.name, why }, 'a way to a source was cut');
    for (const end of stops) end();
    return false;
  };
  let [up, down] = [0, 0];
  const late = setTimeout(() => stop('it was open for too long'), WAY_MS);
  splice(socket, host, {
    up: (bytes) => (up += bytes) <= MOST_UP || stop('too much was sent'),
    down: (bytes) => (down += bytes) <= MOST_DOWN || stop('too much came'),
    onStop: (told) => stops.push(() => told({ how: 'quota', why: 'too long' })),
  }, WAY_MS, () => clearTimeout(late));
}

/** An address that was declared is the only one; a name without one leads to public addresses alone, as an agent's does. */
async function reach({ host, port, address }: SourcePlace, dial: SourceWays['dial']): Promise<Result<Socket>> {
  try {
    if (address !== null) return { ok: true, value: await dial.source(address, port) };
    const name = parseHost(host);
    return name.ok ? { ok: true, value: await dial.tcp({ host: name.value, port }) } : refuse(`${host} cannot be asked of DNS: ${name.error}; declare its address`);
  } catch (fault) {
    if (fault instanceof DialFault) return refuse(fault.refusal.message);
    throw fault;
  }
}

/** One line and not a byte behind it: what follows is the tunnel's, and it begins when we have answered. */
function readAsk(socket: Socket, then: (asked: Result<string>) => void): void {
  let kept = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), ASK_MS);
  const onData = (chunk: Buffer): void => {
    kept = Buffer.concat([kept, chunk]);
    const newline = kept.indexOf(0x0a);
    if (newline < 0 && kept.length <= ASK_BYTES) return;
    clearTimeout(late);
    socket.off('data', onData);
    socket.pause();
    then(newline === kept.length - 1 ? parseAsk(kept.toString('latin1', 0, newline)) : refuse('the question is no single line'));
  };
  socket.on('data', onData);
  socket.once('close', () => clearTimeout(late));
}

function parseAsk(line: string): Result<string> {
  const value = parseStrictJson(line);
  if (!value.ok) return value;
  if (!isObject(value.value)) return refuse('the question must be an object');
  const fields = checkFields(value.value, ['source']);
  return fields.ok ? { ok: true, value: String(value.value['source']) } : fields;
}

function refuseWay(socket: Socket, error: string): void {
  writeJsonLine(socket, { ok: false, error } satisfies JsonValue);
  socket.destroySoon();
}

function whyNotSecretd(socket: Socket, { uid, group }: SourceWays['caller']): string | null {
  try {
    const peer = peerOf(socket);
    if (peer.uid !== uid) return `uid ${peer.uid}`;
    return group === null || peer.cgroup === group ? null : `control group ${peer.cgroup}`;
  } catch {
    return 'nobody can say who connects';
  }
}
