// SPDX-License-Identifier: Apache-2.0
import type { ModelAsk, ModelUsage } from './egress-wire.ts';
import { usageAfter, usageOf, type Said } from './model-usage.ts';

/** Reads along while a model's answer passes, and holds nothing of it back. */
export type UsageReader = { readonly take: (chunk: Uint8Array) => void; readonly usage: () => ModelUsage };

/** The whole of an answer, or one event of a stream: `response.completed` repeats everything that was said. */
const KEPT_MAX = 16 * 1024 * 1024;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const utf8 = new TextDecoder('utf-8', { fatal: false });

/** Null for text that is not JSON with one meaning: an agent had a hand in what a model answers. */
export type ParseJson = (text: string) => unknown;

/** `coded`: the body is compressed, and is not unpacked here (F10); it says nothing then. */
export function usageReader(ask: ModelAsk, contentType: string | null, coded: boolean, parse: ParseJson): UsageReader {
  if (coded) return { take: () => {}, usage: () => usageOf(ask, null) };
  return /^text\/event-stream\b/i.test(contentType ?? '') ? streamReader(ask, parse) : wholeReader(ask, parse);
}

function wholeReader(ask: ModelAsk, parse: ParseJson): UsageReader {
  const kept = keeper();
  return {
    take: kept.add,
    usage: () => usageOf(ask, kept.overflown() ? null : usageAfter(ask.api, null, parse(kept.text()))),
  };
}

/** WHATWG "server-sent events": an event ends with an empty line, and its data may stand on several. */
function streamReader(ask: ModelAsk, parse: ParseJson): UsageReader {
  let said: Said | null = null;
  let line = keeper();
  let data: string[] = [];
  let dataLength = 0;
  let skipLineFeed = false;

  function endLine(): void {
    const text = line.overflown() ? '' : line.text();
    const empty = !line.overflown() && text === '';
    line = keeper();
    if (empty) return endEvent();
    if (!text.startsWith('data:') || dataLength > KEPT_MAX) return;
    const value = text.slice(text[5] === ' ' ? 6 : 5);
    dataLength += value.length;
    data.push(value);
  }

  function endEvent(): void {
    const text = data.join('\n');
    data = [];
    dataLength = 0;
    // Most events are a few letters of an answer: only what can hold usage is parsed.
    if (text.includes('usage')) said = usageAfter(ask.api, said, parse(text));
  }

  return {
    take: (chunk) => {
      let from = 0;
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at]!;
        if (byte !== NEWLINE && byte !== CARRIAGE_RETURN) {
          skipLineFeed = false;
          continue;
        }
        if (byte === NEWLINE && skipLineFeed && at === from) {
          skipLineFeed = false;
          from = at + 1;
          continue;
        }
        line.add(chunk.subarray(from, at));
        from = at + 1;
        skipLineFeed = byte === CARRIAGE_RETURN;
        endLine();
      }
      if (from < chunk.length) line.add(chunk.subarray(from));
    },
    usage: () => {
      // Some servers end the connection without the last empty line.
      endLine();
      if (data.length > 0) endEvent();
      return usageOf(ask, said);
    },
  };
}

type Keeper = { readonly add: (chunk: Uint8Array) => void; readonly text: () => string; readonly overflown: () => boolean };

function keeper(): Keeper {
  const chunks: Uint8Array[] = [];
  let length = 0;
  return {
    add: (chunk) => {
      length += chunk.length;
      if (length > KEPT_MAX) chunks.length = 0;
      // A copy: the caller may go on to use its buffer.
      else if (chunk.length > 0) chunks.push(chunk.slice());
    },
    overflown: () => length > KEPT_MAX,
    text: () => {
      const whole = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks) {
        whole.set(chunk, at);
        at += chunk.length;
      }
      return utf8.decode(whole);
    },
  };
}
