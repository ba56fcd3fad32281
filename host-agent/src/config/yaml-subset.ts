// SPDX-License-Identifier: Apache-2.0
import { CST, Lexer } from 'yaml';
import type { Problem } from './declared.ts';

export const MAX_DEPTH = 32;
// The composer recurses once per level and a level of block nesting needs a column of its own, so this bounds its stack.
const MAX_INDICATOR_COLUMN = 256;
// Building a tree of a quarter of a million commas takes seconds; no file of ours comes near this.
const MAX_LEXEMES = 50_000;

type TokenType = NonNullable<ReturnType<typeof CST.tokenType>>;
const REFUSED: Readonly<Partial<Record<TokenType, string>>> = {
  anchor: 'an anchor (&) is not allowed; write the value where it is used',
  alias: 'an alias (*) is not allowed; write the value out, or quote it if it is text',
  tag: 'a tag (!) is not allowed; quote the value if it is text',
  'directive-line': 'a directive (%) is not allowed; remove the line',
};

/** What is wrong with the characters, before anything reads them as YAML. The text is hostile: only linear scans here. */
export function characterProblems(file: string, text: string): readonly Problem[] {
  const at = (index: number, message: string): readonly Problem[] => [{ file, line: lineAt(text, index), message }];
  if (text.startsWith('\uFEFF')) return at(0, 'the file begins with a byte order mark; save it as UTF-8 without one');
  const carriage = text.indexOf('\r');
  if (carriage !== -1) return at(carriage, 'a carriage return; save the file with Unix line ends');
  const control = text.search(/[\0-\x08\x0b-\x1f\x7f-\x9f\uFEFF\u2028\u2029]|\p{Surrogate}/u);
  if (control !== -1) return at(control, `the character U+${codePoint(text, control)} is not allowed; remove it`);
  const tab = text.search(/^ *\t/m);
  if (tab !== -1) return at(tab, 'a tab in the indentation; indent with spaces');
  return [];
}

/** Words of YAML that this product does not speak, seen in the token stream before any tree is built. */
export function subsetProblems(file: string, text: string): readonly Problem[] {
  let offset = 0;
  let lineStart = 0;
  let line = 1;
  let flow = 0;
  let afterScalarMark = false;
  let documents = 0;
  let afterEnd = false;
  let lexemes = 0;
  const problem = (message: string): readonly Problem[] => [{ file, line, message }];
  const deep = `nested deeper than ${MAX_DEPTH} levels`;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1;
    if (lexemes > MAX_LEXEMES) return problem('the file holds too many words; make it smaller');
    const type: TokenType | null = afterScalarMark ? null : CST.tokenType(lexeme);
    if (type === 'doc-mode' || type === 'flow-error-end' || type === 'scalar') {
      afterScalarMark = type === 'scalar';
      continue;
    }
    afterScalarMark = false;
    const message = type === null ? undefined : REFUSED[type];
    if (message !== undefined) return problem(message);
    if (type === 'doc-start') documents += 1;
    const content = type === null || !['space', 'comment', 'newline', 'doc-start', 'doc-end'].includes(type);
    if (documents > 1 || (afterEnd && (content || type === 'doc-start'))) {
      return problem('a second YAML document; one file holds one document');
    }
    if (content && documents === 0) documents = 1;
    if (type === 'doc-end') afterEnd = true;
    if (type === 'flow-map-start' || type === 'flow-seq-start') flow += 1;
    if (type === 'flow-map-end' || type === 'flow-seq-end') flow -= 1;
    if (flow > MAX_DEPTH) return problem(deep);
    const block = type === 'seq-item-ind' || type === 'explicit-key-ind' || type === 'map-value-ind';
    if (block && flow === 0 && indentOf(text, lineStart, offset) > MAX_INDICATOR_COLUMN) return problem(deep);
    for (let i = lexeme.indexOf('\n'); i !== -1; i = lexeme.indexOf('\n', i + 1)) {
      line += 1;
      lineStart = offset + i + 1;
    }
    offset += lexeme.length;
  }
  return [];
}

// Width of the run of spaces and block indicators that a line begins with: how far block nesting can have gone on it.
function indentOf(text: string, from: number, to: number): number {
  let column = from;
  while (column < to && ' -?:\t'.includes(text[column] ?? '')) column += 1;
  return column - from;
}

function codePoint(text: string, index: number): string {
  return (text.codePointAt(index) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

function lineAt(text: string, index: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < index; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}
