// SPDX-License-Identifier: Apache-2.0
import { escapedJson, escapeText } from './escape.ts';

// The only way to an operator's terminal. Every piece of text is escaped here, at the end of its way, so that no command can forget it;
// a colour is a style beside the text, never part of it.

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
export type Part = string | { readonly text: string; readonly style: Style };

export type Screen = {
  line(...parts: readonly Part[]): void;
  /** One value on one line, for programs. */
  json(value: unknown): void;
  /** To standard error. */
  complain(...parts: readonly Part[]): void;
};

const CODES: Readonly<Record<Style, string>> = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' };

type Both<T> = { readonly out: T; readonly err: T };

export function screenOn(write: Both<(text: string) => void>, colour: Both<boolean>): Screen {
  return {
    line: (...parts) => write.out(`${rendered(parts, colour.out)}\n`),
    json: (value) => write.out(`${escapedJson(value)}\n`),
    complain: (...parts) => write.err(`${rendered(parts, colour.err)}\n`),
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

function rendered(parts: readonly Part[], colour: boolean): string {
  return parts
    .map((part) => {
      if (typeof part === 'string') return escapeText(part);
      return colour ? `\x1b[${CODES[part.style]}m${escapeText(part.text)}\x1b[0m` : escapeText(part.text);
    })
    .join('');
}
