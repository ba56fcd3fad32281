// SPDX-License-Identifier: Apache-2.0
import type { Transcript } from '../effects/transcripts.ts';
import type { RedactPort, TextStream } from '../tool-call/redact.ts';

type Code = 'o' | 'i';
type Kept = ReturnType<Transcript['end']>;
/** `event` throws when nothing more can be written. */
export type RedactedTranscript = Omit<Transcript, 'end'> & { readonly end: (sinceMs: number) => Kept | Promise<Kept> };

/** What may wait to be looked through. A program that writes faster for longer has the rest withheld. */
const MOST_WAITING = 4 * 1024 * 1024;

/**
 * A transcript without the secrets in it. What was shown and what was typed are each one text, however many pieces they came in; so the end
 * of a piece is written when it is decided. Written at once, as before, while no secret can be in it.
 */
export function redactedTranscript(transcript: Transcript, redact: RedactPort, onLost: (fault: unknown) => void): RedactedTranscript {
  const streams = new Map<Code, TextStream>();
  let work: Promise<unknown> | null = null;
  let waiting = 0;
  let lost: { readonly fault: unknown } | null = null;

  function later(task: () => Promise<void>): void {
    work = (work ?? Promise.resolve()).then(task).catch((fault: unknown) => {
      if (lost !== null) return;
      lost = { fault };
      onLost(fault);
    });
  }

  async function look(sinceMs: number, code: Code, text: string): Promise<void> {
    const stream = streams.get(code) ?? redact.stream();
    streams.set(code, stream);
    const clean = await stream.push(text);
    waiting -= text.length;
    if (clean.ok) return write(sinceMs, code, clean.value);
    streams.delete(code);
    withhold(sinceMs, code, text);
  }

  function write(sinceMs: number, code: Code, text: string): void {
    if (text !== '') transcript.event(sinceMs, code, text);
  }

  function withhold(sinceMs: number, code: Code, text: string): void {
    write(sinceMs, code, `[${text.length} characters or more withheld: nobody could look whether a secret is in them]\r\n`);
  }

  async function finish(sinceMs: number): Promise<Kept> {
    await work;
    if (lost !== null) throw lost.fault;
    for (const [code, stream] of streams) {
      const rest = await stream.end();
      write(sinceMs, code, rest.ok ? rest.value : '[the last characters are withheld: nobody could look whether a secret is in them]\r\n');
    }
    return transcript.end(sinceMs);
  }

  return {
    event: (sinceMs, code, text) => {
      if (lost !== null) throw lost.fault;
      if (work === null && !redact.needed()) return transcript.event(sinceMs, code, text);
      if (waiting + text.length > MOST_WAITING) return later(async () => withhold(sinceMs, code, text));
      waiting += text.length;
      later(() => look(sinceMs, code, text));
    },
    end: (sinceMs) => (work === null ? transcript.end(sinceMs) : finish(sinceMs)),
  };
}
