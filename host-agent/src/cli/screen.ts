// SPDX-License-Identifier: Apache-2.0
import { escapedJson, escapeText } from './escape.ts';
import { foldRows, USUAL_WIDTH } from './fold.ts';

// The only way to an operator's terminal. Every piece of text is escaped here, at the end of its way, so that no command can forget it;
// a colour is a style beside the text, never part of it.

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
export type Part = string | { readonly text: string; readonly style: Style };

export type Screen = {
  /** Folded on a terminal; whole for a program that reads lines. */
  line(...parts: readonly Part[]): void;
  /** What an agent wrote at length: folded wherever it goes. */
  told(...parts: readonly Part[]): void;
  /** Never folded, so that it can be pasted. No words that an agent chose: see grantLine. */
  command(...parts: readonly Part[]): void;
  /** One value on one line, for programs. */
  json(value: unknown): void;
  /** To standard error. */
  complain(...parts: readonly Part[]): void;
};

const CODES: Readonly<Record<Style, string>> = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' };

type Both<T> = { readonly out: T; readonly err: T };

/** `width`: columns of the terminal; null where there is none. */
export function screenOn(
  write: Both<(text: string) => void>,
  colour: Both<boolean>,
  width: Both<number | null> = { out: null, err: null },
): Screen {
  return {
    line: (...parts) => write.out(`${rendered(parts, colour.out, width.out ?? Infinity)}\n`),
    told: (...parts) => write.out(`${rendered(parts, colour.out, width.out ?? USUAL_WIDTH)}\n`),
    command: (...parts) => write.out(`${rendered(parts, colour.out, Infinity)}\n`),
    json: (value) => write.out(`${escapedJson(value)}\n`),
    complain: (...parts) => write.err(`${rendered(parts, colour.err, width.err ?? Infinity)}\n`),
  };
}

export function styled(text: string, style: Style): Part {
  return { text, style };
}

/** Columns of a table, as wide as their widest cell; the last one is left as it is. */
export function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, escapeText(cell).length)));
  const padded = (cell: string, i: number): string => cell + ' '.repeat((widths[i] ?? 0) - escapeText(cell).length);
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : padded(cell, i))).join('  ').trimEnd());
}

type Shown = { readonly text: string; readonly style: Style | null };

function rendered(parts: readonly Part[], colour: boolean, width: number): string {
  const shown = parts.map((part): Shown => {
    if (typeof part === 'string') return { text: escapeText(part), style: null };
    return { text: escapeText(part.text), style: colour ? part.style : null };
  });
  const rows = foldRows(shown.map(({ text }) => text).join(''), width);
  return rows.map(({ indent, from, to }) => indent + between(shown, from, to)).join('\n');
}

/** Each row has its own colours: none reaches over the indent. */
function between(shown: readonly Shown[], from: number, to: number): string {
  let at = 0;
  return shown
    .map(({ text, style }) => {
      const piece = text.slice(Math.max(0, from - at), Math.max(0, to - at));
      at += text.length;
      return style === null || piece === '' ? piece : `\x1b[${CODES[style]}m${piece}\x1b[0m`;
    })
    .join('');
}
