// SPDX-License-Identifier: Apache-2.0
import { MOST_VALUES } from './limits.ts';
import { UNKNOWN } from './scope.ts';

const MOST_NESTED = 32;
/** So many that the command is refused for it, rather than judged by a part of its words. */
const TOO_MANY: readonly string[] = Array.from({ length: MOST_VALUES + 1 }, () => UNKNOWN);

/** The words of `{rm,ls}`, with braces within braces. Quotes are taken off; ranges and what is computed are not followed. */
export function braceWords(text: string): readonly string[] {
  if (/[`]|\$[({]/.test(text)) return [UNKNOWN];
  return alternatives(text.replace(/["'\\]/g, '').replace(/\$\w+/g, UNKNOWN), 0);
}

/** Each of the one in front of each of the other. */
export function crossed(heads: readonly string[], tails: readonly string[]): readonly string[] {
  if (heads.length * tails.length > MOST_VALUES) return TOO_MANY;
  return heads.flatMap((head) => tails.map((tail) => head + tail));
}

function alternatives(text: string, depth: number): readonly string[] {
  if (depth > MOST_NESTED) return TOO_MANY;
  const pieces: string[] = [];
  let level = 0;
  let from = 1;
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (c === '{') level += 1;
    else if (c === '}') level -= 1;
    if ((c === ',' && level === 1) || (c === '}' && level === 0)) {
      pieces.push(text.slice(from, at));
      from = at + 1;
    }
  }
  if (pieces.length < 2) return [UNKNOWN];
  const words = pieces.flatMap((piece) => within(piece, depth + 1));
  return words.length > MOST_VALUES ? TOO_MANY : words;
}

function within(text: string, depth: number): readonly string[] {
  const open = text.indexOf('{');
  if (open === -1) return [text];
  let level = 0;
  let close = open;
  for (; close < text.length; close += 1) {
    if (text[close] === '{') level += 1;
    else if (text[close] === '}' && (level -= 1) === 0) break;
  }
  const inner = alternatives(text.slice(open, close + 1), depth);
  return crossed(crossed([text.slice(0, open)], inner), close + 1 < text.length ? within(text.slice(close + 1), depth) : ['']);
}
