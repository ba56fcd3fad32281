// SPDX-License-Identifier: Apache-2.0
import type { Piece } from './escape-parser.ts';

// What an agent's program may do to the terminal of a person who watches it: write characters, move about, erase, colour. Everything
// else stays away from that terminal and is shown as text. Above all whatever makes a terminal answer (DSR, DA, DECRQSS, title and
// window reports, XTGETTCAP): the answer would be typed by the person. And clipboard (OSC 52), titles, links, printing (CSI i), key
// and mouse modes, locked keys, reset: what would last, leak or act elsewhere.

/** `unicode`: the person says that the terminal reads UTF-8. To one that does not, the bytes of Û or 웛 hold a CSI of eight bits. */
export type FilterOptions = { readonly unicode: boolean };

const NUMBERS = '(?:[0-9]{0,4}(?:;[0-9]{0,4}){0,15})';
const PASSES: readonly RegExp[] = [
  // cursor, insertion, deletion, repetition, scrolling within the screen
  new RegExp(`^\\x1b\\[${NUMBERS}[@A-HLMPXIZ\`abdefr]$`),
  /^\x1b\[[0-9]{0,4}[ST]$/,
  // erase; not 3 J, which empties what the person could scroll back to
  /^\x1b\[[012]?[JK]$/,
  // colours
  /^\x1b\[(?:[0-9]{0,4}(?:[;:][0-9]{0,4}){0,31})m$/,
  // insert mode, wrapping, the cursor's sight: put right on leaving
  /^\x1b\[4[hl]$/,
  /^\x1b\[\?(?:7|25)[hl]$/,
  // save and restore the cursor, line feeds, line drawing
  /^\x1b[78DEM]$/,
  /^\x1b\([0B]$/,
];
/** Usual, and meant for a terminal that has keys: nothing of it changes what is seen. */
const LEFT_OUT: readonly RegExp[] = [
  /^\x1b\[\?(?:1|12|1000|1002|1003|1004|1005|1006|1015|1034|2004|2026)(?:;(?:1000|1002|1003|1005|1006))*[hl]$/,
  /^\x1b\[>4(?:;[0-9])?m$/,
  /^\x1b\[2[23];[012](?:;[012])?t$/,
  /^\x1b[=>]$/,
];
/** The screen for full-screen programs: this is one already. */
const OTHER_SCREEN = /^\x1b\[\?(?:47|1047|1049)[hl]$/;
const CLEARED = '\x1b[2J\x1b[H';

const ACTS: ReadonlySet<string> = new Set(['\b', '\t', '\n', '\r']);

/** On the way in: a screen of its own, so that what the person had before is there afterwards. */
export const ENTER_SCREEN = `\x1b[?1049h${CLEARED}`;
/** Everything that may have passed, back as terminals begin: region, colours, characters, insertion, wrapping, cursor, screen. */
export const LEAVE_SCREEN = '\x1b[r\x1b[m\x1b(B\x1b[4l\x1b[?7h\x1b[?25h\x1b[?1049l';

/** For a person's terminal, in a screen of its own. */
export function onScreen(piece: Piece, options: FilterOptions): string {
  const { kind, text } = piece;
  if (kind === 'text') return printable(text, options);
  if (kind === 'control' && ACTS.has(text)) return text;
  if (kind === 'sequence') {
    if (PASSES.some((form) => form.test(text))) return text;
    if (LEFT_OUT.some((form) => form.test(text))) return '';
    if (OTHER_SCREEN.test(text)) return CLEARED;
  }
  return printable(text, { unicode: false });
}

/** Where there is no screen: lines of text, and every sequence shown. */
export function asLines({ kind, text }: Piece, options: FilterOptions): string {
  if (kind === 'control' && (text === '\n' || text === '\t')) return text;
  if (kind === 'control' && text === '\r') return '';
  return printable(text, kind === 'text' ? options : { unicode: false });
}

/** For a reader who wants the words only. */
export function asWords({ kind, text }: Piece): string {
  if (kind === 'text') return text;
  return kind === 'control' && (text === '\n' || text === '\t') ? text : '';
}

/** Controls of all kinds, what has no look of its own and what turns the direction of writing are never printed. */
const NOT_PRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

function printable(text: string, { unicode }: FilterOptions): string {
  let shown = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if ((code >= 0x20 && code < 0x7f) || (unicode && code >= 0xa0 && !NOT_PRINTABLE.test(character))) shown += character;
    else shown += code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  }
  return shown;
}
