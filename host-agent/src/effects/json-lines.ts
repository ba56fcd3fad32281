// SPDX-License-Identifier: Apache-2.0
import type { Socket } from 'node:net';
import { parseStrictJson, type JsonLimits } from '../door/strict-json.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';

/** The longest line on any socket of ours, without its newline. */
export const MAX_LINE = 1024 * 1024;
/** The most that may wait for a peer that does not read. */
export const MAX_UNSENT = 8 * 1024 * 1024;
/** After a violation, whichever comes first. */
const LINGER = { ms: 1000, bytes: 16 * MAX_LINE };

const NEWLINE = 0x0a;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type LineReader = {
  readonly maxBytes: number;
  readonly limits?: Partial<JsonLimits>;
  /** Asked once for each whole line before it is parsed: for how many milliseconds it waits. Nothing is read meanwhile. */
  readonly waitFor?: (bytes: number) => number;
  /** Instead of resuming the socket after such a wait, for who pauses it for reasons of his own. */
  readonly readOn?: () => void;
  readonly onValue: (value: JsonValue) => void;
  /** Told once; nothing more is read. A short last line may still be written from here, and the peer gets to read it. */
  readonly onViolation: (reason: string) => void;
  /** The peer has said all it will say, and every line of it was handed over. */
  readonly onEnd?: () => void;
};

/** A whole line waits for its time: that no more comes is not the peer's doing. */
export type LineReading = { readonly waits: () => boolean };

/**
 * One JSON value per line from a peer that is not trusted. At most `maxBytes` of an unfinished line are ever kept
 * (attack case B05); bytes that are not UTF-8, a line that is not JSON and a half line at the end are violations.
 */
export function readJsonLines(socket: Socket, reader: LineReader): LineReading {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  /** Behind a line that waits. One chunk more for each time that somebody resumed the socket meanwhile. */
  let unread: Buffer[] = [];
  let waiting: NodeJS.Timeout | null = null;
  let ended = false;

  function violate(reason: string): void {
    kept = [];
    unread = [];
    socket.off('data', onData);
    socket.off('end', onEnd);
    try {
      reader.onViolation(reason);
    } finally {
      hangUp(socket);
    }
  }

  function onData(chunk: Buffer): void {
    unread.push(chunk);
    if (waiting === null) readUnread();
    else socket.pause();
  }

  function readUnread(): void {
    for (let chunk = unread.shift(); chunk !== undefined; chunk = unread.shift()) if (!read(chunk)) return;
    if (ended) finish();
  }

  /** False when it goes on later, or not at all. */
  function read(chunk: Buffer): boolean {
    let start = 0;
    while (start < chunk.length) {
      if (socket.destroyed) return false;
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline === -1 ? chunk.length : newline;
      if (keptBytes + end - start > reader.maxBytes) {
        violate(`a line is longer than ${reader.maxBytes} bytes`);
        return false;
      }
      kept.push(chunk.subarray(start, end));
      keptBytes += end - start;
      if (newline === -1) return true;
      const line = kept.length === 1 ? kept[0]! : Buffer.concat(kept, keptBytes);
      kept = [];
      keptBytes = 0;
      start = newline + 1;
      const ms = reader.waitFor?.(line.length + 1) ?? 0;
      if (ms > 0) {
        if (start < chunk.length) unread.unshift(chunk.subarray(start));
        hold(line, ms);
        return false;
      }
      if (!handOver(line)) return false;
    }
    return true;
  }

  function hold(line: Buffer, ms: number): void {
    socket.pause();
    waiting = setTimeout(() => {
      waiting = null;
      if (socket.destroyed || !handOver(line)) return;
      readUnread();
      if (waiting !== null || socket.destroyed) return;
      if (reader.readOn === undefined) socket.resume();
      else reader.readOn();
    }, ms);
  }

  function handOver(bytes: Buffer): boolean {
    const line: Result<JsonValue> = parseLine(bytes, reader.limits);
    if (line.ok) reader.onValue(line.value);
    else violate(line.error);
    return line.ok;
  }

  function onEnd(): void {
    ended = true;
    if (waiting === null) finish();
  }

  function finish(): void {
    if (keptBytes > 0) violate('the connection ended inside a line');
    else reader.onEnd?.();
  }

  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', () => {
    if (waiting !== null) clearTimeout(waiting);
  });
  return { waits: () => waiting !== null };
}

/**
 * Says our end, and drops what the peer still says for a moment. A socket that is closed with bytes unread resets the connection, and
 * a peer that is in the middle of writing then loses the last line that was written to it.
 */
function hangUp(socket: Socket): void {
  let dropped = 0;
  const end = setTimeout(() => socket.destroy(), LINGER.ms);
  socket.once('close', () => clearTimeout(end));
  socket.once('end', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > LINGER.bytes) socket.destroy();
  });
  socket.end();
  socket.resume();
}

function parseLine(line: Uint8Array, limits?: Partial<JsonLimits>): Result<JsonValue> {
  let text: string;
  try {
    text = utf8.decode(line);
  } catch {
    return refuse('a line is not valid UTF-8');
  }
  return parseStrictJson(text, limits);
}

/** False when the value was not taken: the peer is gone, or it does not read and was cut off. */
export function writeJsonLine(socket: Socket, value: JsonValue, maxUnsent: number = MAX_UNSENT): boolean {
  if (socket.destroyed || !socket.writable) return false;
  socket.write(`${JSON.stringify(value)}\n`);
  if (socket.writableLength <= maxUnsent) return true;
  socket.destroy();
  return false;
}
