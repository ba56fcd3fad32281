// SPDX-License-Identifier: Apache-2.0
import { hexValue } from './escapes.ts';

/** A part of the text that is to go. `best` is the find that names it: the first to begin, of those the longest. */
type Removal = { start: number; end: number; best: { start: number; end: number; owner: number } };

export type Removals = {
  readonly add: (bytes: Uint8Array) => void;
  readonly found: (start: number, end: number, owner: number) => void;
  /** The text as far as it is decided: nothing found later begins before `limit`. `last`: no more text comes. */
  readonly take: (limit: number, last: boolean) => Uint8Array;
  readonly held: () => number;
};

const BACKSLASH = 0x5c;
const SMALL_U = 0x75;

/**
 * Keeps the text that is not decided, and puts a mark in place of each part that is to go. What overlaps goes as one. An escape with a
 * backslash goes whole or stays whole, or JSON that held a secret would be JSON no more: `\[secret` is none.
 */
export function removals(markOf: (owner: number) => Uint8Array): Removals {
  let kept = new Uint8Array(4_096);
  /** Where in the text `kept` begins, how far it is decided (always between two escapes), and where it ends. */
  let base = 0;
  let at = 0;
  let end = 0;
  let waiting: Removal[] = [];
  /** The mark is written, and the text behind it goes until here. */
  let removing: number | null = null;
  let out: Uint8Array[] = [];

  function add(bytes: Uint8Array): void {
    if (end - base + bytes.length > kept.length) {
      const bigger = end - at + bytes.length > kept.length / 2 ? new Uint8Array(2 * (end - at + bytes.length)) : kept;
      bigger.set(kept.subarray(at - base, end - base));
      if (bigger !== kept) kept.fill(0);
      kept = bigger;
      base = at;
    }
    kept.set(bytes, end - base);
    end += bytes.length;
  }

  function found(start: number, to: number, owner: number): void {
    const now: Removal = { start, end: to, best: { start, end: to, owner } };
    let place = waiting.length;
    while (place > 0 && waiting[place - 1]!.end > start) {
      place -= 1;
      const other = waiting[place]!;
      if (other.start >= now.end) continue;
      now.start = Math.min(now.start, other.start);
      now.end = Math.max(now.end, other.end);
      if (isBetter(other.best, now.best)) now.best = other.best;
      waiting.splice(place, 1);
    }
    waiting.splice(place, 0, now);
  }

  /** Behind the escape that begins here; -1 while nobody can know. */
  function behindEscape(from: number, last: boolean): number {
    const byte = (offset: number): number => (from + offset < end ? kept[from + offset - base]! : -1);
    if (byte(1) === -1) return last ? end : -1;
    if (byte(1) !== SMALL_U) return from + 2;
    for (let offset = 2; offset < 6; offset += 1) {
      if (byte(offset) === -1) return last ? from + 2 : -1;
      if (hexValue(byte(offset)) === -1) return from + 2;
    }
    return from + 6;
  }

  /** Goes on by whole escapes to `stop` or, within one, to its beginning; true when it came to `stop`. `over`: to its end instead. */
  function goTo(stop: number, limit: number, last: boolean, over: boolean): boolean {
    while (at < stop) {
      const slash = kept.subarray(at - base, stop - base).indexOf(BACKSLASH);
      if (slash === -1) {
        at = stop;
        break;
      }
      at += slash;
      const behind = behindEscape(at, last);
      if (behind === -1 || behind > limit) return false;
      if (behind > stop && !over) return true;
      at = behind;
    }
    return true;
  }

  function emit(from: number): void {
    if (at > from) out.push(kept.slice(from - base, at - base));
  }

  /** False when it must wait for more of the text. */
  function goOn(limit: number, last: boolean): boolean {
    const [next] = waiting;
    if (removing !== null) {
      if (next !== undefined && next.start < Math.max(removing, at)) {
        removing = Math.max(removing, next.end);
        waiting.shift();
        return true;
      }
      if (!goTo(Math.min(removing, limit), limit, last, true) || at < removing) return false;
      if (waiting[0] !== undefined && waiting[0].start < at) return true;
      removing = null;
      return at < limit;
    }
    const stop = Math.min(limit, next?.start ?? limit);
    const from = at;
    const came = goTo(stop, limit, last, false);
    emit(from);
    if (!came || next === undefined || next.start >= limit) return false;
    out.push(markOf(next.best.owner));
    removing = next.end;
    waiting.shift();
    return true;
  }

  function take(limit: number, last: boolean): Uint8Array {
    while (goOn(limit, last));
    const [only] = out;
    const taken = out.length === 1 ? only! : joined(out);
    out = [];
    return taken;
  }

  return { add, found, take, held: () => end - at };
}

function isBetter(a: Removal['best'], b: Removal['best']): boolean {
  if (a.start !== b.start) return a.start < b.start;
  return a.end === b.end ? a.owner < b.owner : a.end > b.end;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let to = 0;
  for (const part of parts) {
    whole.set(part, to);
    to += part.length;
  }
  return whole;
}
