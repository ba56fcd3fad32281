// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { wipe, wipeable } from '../secret/values.ts';

/**
 * A value in the head of a request, without the value ever being a string. Node's client takes headers as text; so it is given a mark that
 * means nothing, and in the one write that carries the head the mark becomes the value, in a buffer that is wiped when it is sent.
 */
export type MarkedValue = { readonly mark: string; readonly value: Buffer };

export function markFor(value: Buffer): MarkedValue {
  return { mark: `holdfast-mark-${randomBytes(16).toString('hex')}`, value };
}

/** For the next write to the socket, which is the head; before it begins. The values are wiped here. */
export function replaceInHead(socket: Socket, marked: readonly MarkedValue[]): void {
  if (marked.length === 0) return;
  const own = socket as unknown as { write?: unknown };
  const replaceOnce = (chunk: unknown, ...rest: readonly unknown[]): boolean => {
    delete own.write;
    const told = rest.find((word) => typeof word === 'function') as ((fault?: Error | null) => void) | undefined;
    const head = Buffer.from(chunk as string, 'latin1');
    const bytes = spliced(head, marked);
    wipe(...marked.map(({ value }) => value));
    // By itself: with a body behind it, what encrypts would first copy both into a buffer of its own, which nobody wipes.
    const corked = socket.writableCorked;
    for (let n = 0; n < corked; n += 1) socket.uncork();
    const more = socket.write(bytes, (fault) => {
      wipe(bytes);
      told?.(fault);
    });
    for (let n = 0; n < corked; n += 1) socket.cork();
    return more;
  };
  own.write = replaceOnce;
}

function spliced(head: Buffer, marked: readonly MarkedValue[]): Buffer {
  const size = marked.reduce((sum, { mark, value }) => sum + value.length - mark.length, head.length);
  const bytes = wipeable(size);
  let [from, at] = [0, 0];
  const placed = marked.map((one) => ({ ...one, place: head.indexOf(one.mark) })).toSorted((a, b) => a.place - b.place);
  for (const { mark, value, place } of placed) {
    // The mark itself would then be what is sent: useless to whoever gets it.
    if (place < from) throw new Error('the head of a request does not hold its mark');
    at += head.copy(bytes, at, from, place);
    at += value.copy(bytes, at);
    from = place + mark.length;
  }
  head.copy(bytes, at, from);
  return bytes;
}
