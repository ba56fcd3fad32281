// SPDX-License-Identifier: Apache-2.0
import type { ReadEntry } from '../effects/ledger-client.ts';
import type { Entry } from '../ledger/entry.ts';
import { escapeText } from './escape.ts';
import { entryWords, type EntryWords } from './entry-words.ts';
import { styled, type Part, type Screen } from './screen.ts';
import { entryOf } from './stored-entry.ts';

/** Columns of a line, its escapes included. */
const WIDTH = 110;

export type EntryView = {
  readonly show: (read: ReadEntry) => void;
  /** Everything so far is on the screen. From here on entries come as they happen. */
  readonly pause: () => void;
};

type Run = { readonly entry: Entry; readonly words: EntryWords; more: number; told: number; last: number; shown: boolean };

/** Entries for a person: a line each, a line for each day, and one for the same refusal again and again. */
export function openEntryView(screen: Screen): EntryView {
  let day = '';
  let live = false;
  let run: Run | null = null;

  function print(entry: Entry, words: EntryWords, tail: string): void {
    if (entry.time.slice(0, 10) !== day) {
      day = entry.time.slice(0, 10);
      screen.line(styled(`${day} (UTC)`, 'dim'));
    }
    screen.line(...entryLine(entry, words, tail));
  }

  function settle(): void {
    if (run === null) return;
    const times = `${run.more + 1} times`;
    if (!run.shown) print(run.entry, run.words, run.more > 0 ? `, ${times}` : '');
    else if (run.more > run.told) screen.line(styled(`        refused ${times} so far, the last in entry ${run.last}`, 'dim'));
    run.shown = true;
    run.told = run.more;
  }

  function show(read: ReadEntry): void {
    const entry = entryOf(read);
    if (entry === null) {
      settle();
      run = null;
      return screen.line(`${number(read.seq)}  `, styled('DAMAGED: these are not the bytes that were recorded; see: holdfast verify', 'red'));
    }
    const words = entryWords(entry);
    if (run !== null && words.again !== null && run.words.again === words.again) {
      run.more += 1;
      run.last = entry.seq;
      // Somebody who watches sees that it goes on.
      if (live && Number.isInteger(Math.log10(run.more))) settle();
      return;
    }
    settle();
    run = { entry, words, more: 0, told: 0, last: entry.seq, shown: false };
    if (live || words.again === null) settle();
  }

  function pause(): void {
    settle();
    live = true;
  }

  return { show, pause };
}

/** Number, time of day, who, what. */
export function entryLine(entry: Entry, words: EntryWords = entryWords(entry), tail = ''): readonly Part[] {
  const head = `${number(entry.seq)}  ${entry.time.slice(11, 19)}  `;
  const who = fit(entry.actor.id, 24).padEnd(10);
  const text = `${fit(words.text, WIDTH - head.length - escapeText(who).length - 2 - tail.length)}${tail}`;
  return [styled(head, 'dim'), styled(who, 'bold'), '  ', words.style === null ? text : styled(text, words.style)];
}

function number(seq: number): string {
  return String(seq).padStart(6);
}

/** Cut where it would be too long once it is escaped, and seen to be cut. */
function fit(text: string, most: number): string {
  if (text.length <= most && escapeText(text).length <= most) return text;
  let kept = '';
  let length = 0;
  for (const character of text) {
    length += escapeText(character).length;
    if (length > most - 3) break;
    kept += character;
  }
  return `${kept}...`;
}
