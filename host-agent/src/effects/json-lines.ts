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
  readonly onValue: (value: JsonValue) => void;
  /** Told once; nothing more is read. A short last line may still be written from here, and the peer gets to read it. */
  readonly onViolation: (reason: string) => void;
};

/**
 * One JSON value per line from a peer that is not trusted. At most `maxBytes` of an unfinished line are ever kept
 * (attack case B05); bytes that are not UTF-8, a line that is not JSON and a half line at the end are violations.
 */
export function readJsonLines(socket: Socket, reader: LineReader): void {
  let kept: Buffer[] = [];
  let keptBytes = 0;

  function violate(reason: string): void {
    kept = [];
    socket.off('data', onData);
    socket.off('end', onEnd);
    try {
      reader.onViolation(reason);
    } finally {
      hangUp(socket);
    }
  }

  function onData(chunk: Buffer): void {
    let start = 0;
    while (start < chunk.length && !socket.destroyed) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline === -1 ? chunk.length : newline;
      if (keptBytes + end - start > reader.maxBytes) return violate(`a line is longer than ${reader.maxBytes} bytes`);
      kept.push(chunk.subarray(start, end));
      keptBytes += end - start;
      if (newline === -1) return;
      const line: Result<JsonValue> = parseLine(kept.length === 1 ? kept[0]! : Buffer.concat(kept, keptBytes), reader.limits);
      kept = [];
      keptBytes = 0;
      start = newline + 1;
      if (!line.ok) return violate(line.error);
      reader.onValue(line.value);
    }
  }

  function onEnd(): void {
    if (keptBytes > 0) violate('the connection ended inside a line');
  }

  socket.on('data', onData);
  socket.on('end', onEnd);
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
