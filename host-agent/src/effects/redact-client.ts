// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { parseStrictJson } from '../door/strict-json.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import { MAX_REDACT_LINE, MOST_TEXTS, MOST_UNITS, parseRedactAnswer, type RedactAnswer } from '../secret/redact-wire.ts';
import type { RedactPort, TextStream } from '../tool-call/redact.ts';
import type { keptValue } from './kept-value.ts';
import { openLine, type Line } from './ledger-line.ts';

export type RedactClient = RedactPort & { readonly close: () => void };
type WasOpen = { readonly load: () => boolean; readonly store: () => void };

/** A text of 1 MiB takes a part of a second. */
const ANSWER_MS = 20_000;
/** For so long it is not asked again. */
const AWAY_MS = 1_000;
const SECRETD = { name: 'holdfast-secretd', maxBytes: MAX_REDACT_LINE };
const AWAY = 'holdfast-secretd, which removes secrets from texts, does not answer; an operator sees why with `holdfast status`';

/**
 * Has texts redacted by holdfast-secretd, which alone knows what is to be removed. Nothing is asked while there can be nothing to remove:
 * no store, or one that nobody has opened since boot, for then nobody had a secret to leak. From the first opening on secrets may be in any
 * text, also when the store is closed again: a text that nobody could look through is refused.
 */
export function connectRedactor(path: string, bindings: string, wasOpen: WasOpen): RedactClient {
  let line: Promise<Line> | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let opened = wasOpen.load();
  let streams = 0;
  let closed = false;
  let notBefore = 0;
  const waiting: { readonly texts: readonly string[]; readonly settle: (done: Result<readonly string[]>) => void }[] = [];
  let pumping = false;

  function needed(): boolean {
    if (opened) return true;
    if (!mayBeOpen(bindings)) return false;
    opened = true;
    wasOpen.store();
    return true;
  }

  async function currentLine(): Promise<Line> {
    if (closed) throw new Error('this connection was closed');
    const before = line;
    const known = before === null ? null : await before.catch(() => null);
    if (known !== null && !known.ended()) return known;
    if (line === before || line === null) line = openLine(path, (why) => new Error(why), SECRETD);
    return line;
  }

  /** One question at a time: no more than one line waits in a buffer, and answers keep their order. */
  function ask(question: JsonObject, count: number, tied: { to: Line | null } = { to: null }): Promise<Result<RedactAnswer>> {
    const answer = turn.then(async () => {
      // One who waited for it has waited for all: entries must not queue up behind a process that is not there.
      if (Date.now() < notBefore) return refuse(AWAY);
      try {
        const known = await currentLine();
        // What was held back of the text is gone with the other connection, and with it what was to be removed.
        if (tied.to !== null && tied.to !== known) return refuse('holdfast-secretd was restarted in the middle of a text');
        tied.to = known;
        const answered = await known.ask(question, ANSWER_MS);
        return parseRedactAnswer(answered, count);
      } catch {
        notBefore = Date.now() + AWAY_MS;
        return refuse(AWAY);
      }
    });
    turn = answer;
    return answer;
  }

  /** Many who ask at the same time are asked for together: while one line is on its way, the next one fills. */
  function texts(all: readonly string[]): Promise<Result<readonly string[]>> {
    if (!fitsOneLine(all)) return inBatches(all);
    return new Promise((settle) => {
      waiting.push({ texts: all, settle });
      if (!pumping) void pump();
    });
  }

  async function pump(): Promise<void> {
    pumping = true;
    while (waiting.length > 0) {
      const now = waiting.splice(0, togetherOnOneLine(waiting.map((one) => one.texts)));
      const done = await whole(now.flatMap((one) => one.texts));
      let at = 0;
      for (const { texts: asked, settle } of now) settle(done.ok ? accept(done.value.slice(at, (at += asked.length))) : done);
    }
    pumping = false;
  }

  async function inBatches(all: readonly string[]): Promise<Result<readonly string[]>> {
    const clean: string[] = [];
    for (const some of batches(all)) {
      const done = 'long' in some ? await inParts(some.long) : await whole(some.texts);
      if (!done.ok) return done;
      clean.push(...done.value);
    }
    return accept(clean);
  }

  async function whole(some: readonly string[]): Promise<Result<readonly string[]>> {
    const done = await ask({ texts: some.map((text) => text.toWellFormed()) }, some.length);
    if (!done.ok) return done;
    // Half a character cannot be sent; it stays where nothing was removed.
    return accept(some.map((text, at) => (done.value.texts[at] === text.toWellFormed() ? text : done.value.texts[at]!)));
  }

  async function inParts(text: string): Promise<Result<readonly string[]>> {
    const { push, end } = stream();
    const parts: string[] = [];
    for (let at = 0; at < text.length; at += MOST_UNITS) {
      const part = await push(text.slice(at, at + MOST_UNITS));
      if (!part.ok) return part;
      parts.push(part.value);
    }
    const rest = await end();
    return rest.ok ? accept([[...parts, rest.value].join('')]) : rest;
  }

  function stream(): TextStream {
    const of = (streams += 1);
    const tied = { to: null };
    let half = '';
    const send = async (text: string, last: boolean): Promise<Result<string>> => {
      // A character of two units may lie on a border.
      const all = half + text;
      half = !last && /[\ud800-\udbff]$/.test(all) ? all.slice(-1) : '';
      const now = all.slice(0, all.length - half.length).toWellFormed();
      const parts: string[] = [];
      for (let at = 0; at < now.length || at === 0; at += MOST_UNITS / 2) {
        const part = now.slice(at, at + MOST_UNITS / 2);
        const done = await ask({ part: part.toWellFormed(), of, last: last && at + MOST_UNITS / 2 >= now.length }, 1, tied);
        if (!done.ok) return done;
        parts.push(done.value.texts[0]!);
      }
      return accept(parts.join(''));
    };
    return { push: (text) => send(text, false), end: () => send('', true) };
  }

  return {
    needed,
    texts,
    stream,
    close: () => {
      closed = true;
      line?.then((known) => known.end(), () => {});
    },
  };
}

/** Whether the store was open in this boot, over a restart of holdfastd. What cannot be read says yes. */
export function onceOpen(kept: ReturnType<typeof keptValue>): WasOpen {
  return {
    load: () => {
      const loaded = kept.load();
      return !loaded.ok || loaded.value === true;
    },
    store: () => void kept.store(true),
  };
}

/** What cannot be understood may be open. */
function mayBeOpen(bindings: string): boolean {
  let text: string;
  try {
    text = readFileSync(bindings, 'utf8');
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code !== 'ENOENT';
  }
  const read = parseStrictJson(text);
  const state = read.ok && isObject(read.value) ? read.value['state'] : null;
  return state !== 'absent' && state !== 'locked' && state !== 'damaged';
}

function fitsOneLine(texts: readonly string[]): boolean {
  return texts.length <= MOST_TEXTS && texts.reduce((sum, { length }) => sum + length, 0) <= MOST_UNITS;
}

/** So many of these fit on one line; the first does. */
function togetherOnOneLine(lists: readonly (readonly string[])[]): number {
  let [texts, units] = [0, 0];
  const over = lists.findIndex((list) => {
    texts += list.length;
    units += list.reduce((sum, { length }) => sum + length, 0);
    return texts > MOST_TEXTS || units > MOST_UNITS;
  });
  return over === -1 ? lists.length : Math.max(over, 1);
}

/** In order: texts that go together on one line, and each that is too long for one. */
function* batches(all: readonly string[]): Generator<{ readonly texts: readonly string[] } | { readonly long: string }> {
  let some: string[] = [];
  let units = 0;
  for (const text of all) {
    if (some.length > 0 && (units + text.length > MOST_UNITS || some.length === MOST_TEXTS)) {
      yield { texts: some };
      [some, units] = [[], 0];
    }
    if (text.length > MOST_UNITS) {
      yield { long: text };
      continue;
    }
    some.push(text);
    units += text.length;
  }
  if (some.length > 0) yield { texts: some };
}
