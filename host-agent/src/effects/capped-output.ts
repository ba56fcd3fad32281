// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream';

/** The first `max` bytes of a stream; the rest is read, counted and dropped, so that a program that writes on is not held up. */
export type CappedOutput = {
  readonly bytes: () => Uint8Array;
  readonly dropped: () => number;
  readonly ended: Promise<void>;
  /** From now on everything goes there. What is not taken yet holds up whoever writes. */
  readonly divert: (to: Taker) => void;
};
export type Taker = (chunk: Buffer) => Promise<void> | null;

export function capOutput(stream: Readable, max: number): CappedOutput {
  const chunks: Buffer[] = [];
  let kept = 0;
  let dropped = 0;
  let diverted: Taker | null = null;
  stream.on('data', (chunk: Buffer) => {
    if (diverted !== null) return passOn(chunk, diverted);
    const part = chunk.subarray(0, Math.max(0, max - kept));
    // Copied: a slice would keep the whole chunk alive.
    if (part.length > 0) chunks.push(Buffer.from(part));
    kept += part.length;
    dropped += chunk.length - part.length;
  });
  function passOn(chunk: Buffer, to: Taker): void {
    const taken = to(chunk);
    if (taken === null) return;
    stream.pause();
    void taken.then(() => stream.resume());
  }
  const ended = new Promise<void>((resolve) => {
    stream.on('close', resolve);
    stream.on('error', () => resolve());
  });
  return { bytes: () => new Uint8Array(Buffer.concat(chunks)), dropped: () => dropped, ended, divert: (to) => void (diverted = to) };
}
