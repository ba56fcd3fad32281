// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream';

/** The first `max` bytes of a stream; the rest is read, counted and dropped, so that a program that writes on is not held up. */
export type CappedOutput = { readonly bytes: () => Uint8Array; readonly dropped: () => number; readonly ended: Promise<void> };

export function capOutput(stream: Readable, max: number): CappedOutput {
  const chunks: Buffer[] = [];
  let kept = 0;
  let dropped = 0;
  stream.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, Math.max(0, max - kept));
    // Copied: a slice would keep the whole chunk alive.
    if (part.length > 0) chunks.push(Buffer.from(part));
    kept += part.length;
    dropped += chunk.length - part.length;
  });
  const ended = new Promise<void>((resolve) => {
    stream.on('close', resolve);
    stream.on('error', () => resolve());
  });
  return { bytes: () => new Uint8Array(Buffer.concat(chunks)), dropped: () => dropped, ended };
}
