// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from 'node:net';
import { parseStrictJson } from '../door/strict-json.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { isObject } from '../ledger/shape.ts';
import type { SourceName } from '../secret/source.ts';

const MOST_LINE = 4_096;
const AWAY = 'holdfast-egress, which opens every way out, does not answer';

/** A way to the place of a source, opened by holdfast-egress: bytes, of which it understands none. */
export function openTunnel(path: string, source: SourceName, signal: AbortSignal): Promise<Result<Socket>> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let kept = Buffer.alloc(0);
    const end = (answer: Result<Socket>): void => {
      signal.removeEventListener('abort', late);
      socket.off('data', onData);
      socket.off('close', closed);
      if (answer.ok) socket.pause();
      else socket.destroy();
      resolve(answer);
    };
    const late = (): void => end(refuse('it was not reached in time'));
    const closed = (): void => end(refuse(AWAY));
    const onData = (chunk: Buffer): void => {
      kept = Buffer.concat([kept, chunk]);
      const newline = kept.indexOf(0x0a);
      if (newline < 0 && kept.length <= MOST_LINE) return;
      // In TLS it is the client who speaks first.
      end(newline === kept.length - 1 ? readLine(kept.toString('utf8', 0, newline), socket) : refuse('holdfast-egress answered in a way that cannot be read'));
    };
    socket.on('error', () => socket.destroy());
    socket.on('data', onData);
    socket.on('close', closed);
    signal.addEventListener('abort', late, { once: true });
    if (signal.aborted) return late();
    socket.write(`${JSON.stringify({ source })}\n`);
  });
}

function readLine(line: string, socket: Socket): Result<Socket> {
  const value = parseStrictJson(line);
  if (!value.ok || !isObject(value.value)) return refuse('holdfast-egress answered in a way that cannot be read');
  const { ok, error } = value.value;
  if (ok === true) return accept(socket);
  return refuse(typeof error === 'string' ? error.slice(0, 300) : AWAY);
}
