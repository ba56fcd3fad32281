// SPDX-License-Identifier: Apache-2.0
import type { ArrayValue, CommandExpansionPart, ParameterExpansionPart, ProcessSubstitutionPart, Word, WordPart } from 'unbash';
import { braceWords, crossed } from './braces.ts';
import { UNKNOWN, type Scope } from './scope.ts';
import type { Span } from './verdict.ts';

// What the words of a line come to, as far as the line itself tells. Nothing is looked up and nothing is run: a part that only the
// running shell knows is UNKNOWN.

/** Where the shell would split an unquoted expansion. */
const BREAK = '\x01';

/** How a word hides what it says; as the first word of a command each of them is a reason (R28). */
export type Disguise = 'escapes' | 'backslashes' | 'quotes' | 'brace' | 'glob' | 'ifs' | 'operators' | 'decoded' | 'fetched' | 'reassigned';

export type Value = {
  readonly text: string;
  readonly span: Span;
  /** Depends on a variable or on what a command prints, known or not. */
  readonly indirect: boolean;
  readonly disguise: Disguise | null;
};

export type Place = (node: { readonly pos: number; readonly end: number }) => Span;
/** What a substitution would print: text where the line tells it, and whether that was decoded or fetched on the way. */
export type Prints = (part: CommandExpansionPart | ProcessSubstitutionPart) => { readonly text: string | null; readonly decodes: boolean; readonly fetches: boolean };

type Build = { texts: string[]; indirect: boolean; disguise: Disguise | null; plainParts: number; otherParts: number; quotedParts: number };

/** More than one for braces and for unquoted variables with blanks in them. */
export function valuesOf(word: Word, scope: Scope, place: Place, prints: Prints): readonly Value[] {
  const parts = word.parts;
  if (parts === undefined) {
    const text = word.value;
    return [{ text, span: place(word), indirect: text.includes(UNKNOWN), disguise: backslashed(word.text, text) }];
  }
  const build: Build = { texts: [''], indirect: false, disguise: null, plainParts: 0, otherParts: 0, quotedParts: 0 };
  for (const part of parts) add(build, part, false, scope, prints);
  // Quotes that nothing needs, in the middle of a name: r''m, "r"m.
  const spelled = build.otherParts === 0 && build.plainParts + build.quotedParts > 1 && build.quotedParts > 0 && build.texts.every((text) => NAME.test(text));
  const disguise = build.disguise ?? (spelled ? 'quotes' : null);
  const span = place(word);
  const indirect = build.indirect || word.value.includes(UNKNOWN);
  return build.texts
    .flatMap((text) => (text.includes(BREAK) ? text.split(BREAK).filter((piece) => piece !== '') : [text]))
    .map((text) => ({ text, span, indirect, disguise }));
}

export function valueOf(word: Word, scope: Scope, place: Place, prints: Prints): Value {
  const values = valuesOf(word, scope, place, prints);
  const first = values[0] ?? { text: '', span: place(word), indirect: true, disguise: null };
  return values.length < 2 ? first : { ...first, text: values.map(({ text }) => text).join(' ') };
}

export function arrayText(array: ArrayValue, scope: Scope, place: Place, prints: Prints): string {
  return array.elements.map((word) => valueOf(word, scope, place, prints).text).join(BREAK);
}

const NAME = /^[\w./+-]+$/;

/** `\ls` is how people pass over an alias; a backslash further on hides a name. */
function backslashed(text: string, value: string): Disguise | null {
  return text === value || text === `\\${value}` || !NAME.test(value) ? null : 'backslashes';
}

/** Escapes that stand for a character one could have written: $'\x72'. */
export const NEEDLESS_ESCAPE = /\\(?:x[2-7][0-9a-fA-F]|0?(?:0[4-7]|1[0-7])[0-7]|[uU]0{2,6}[2-7][0-9a-fA-F])/;

function add(build: Build, part: WordPart, quoted: boolean, scope: Scope, prints: Prints): void {
  switch (part.type) {
    case 'Literal':
      if (part.text !== part.value && !quoted) build.disguise ??= backslashed(part.text, part.value);
      if (!quoted) build.plainParts += 1;
      return append(build, part.value);
    case 'SingleQuoted':
      build.quotedParts += 1;
      return append(build, part.value);
    case 'AnsiCQuoted':
      build.quotedParts += 1;
      if (NEEDLESS_ESCAPE.test(part.text)) build.disguise = 'escapes';
      return append(build, part.value);
    case 'DoubleQuoted':
    case 'LocaleString':
      build.quotedParts += 1;
      for (const child of part.parts) add(build, child, true, scope, prints);
      return undefined;
    case 'SimpleExpansion':
      return variable(build, part.text.slice(1), quoted, scope);
    case 'ParameterExpansion':
      return parameter(build, part, quoted, scope, prints);
    case 'CommandExpansion': {
      build.otherParts += 1;
      build.indirect = true;
      const { text, decodes, fetches } = prints(part);
      if (decodes) build.disguise = 'decoded';
      else if (fetches) build.disguise ??= 'fetched';
      return append(build, text === null ? UNKNOWN : quoted ? text.trimEnd() : split(text));
    }
    case 'ProcessSubstitution': {
      // A file with a name of its own, which holds what is printed there.
      build.otherParts += 1;
      const name = `/dev/fd/${UNKNOWN}${part.pos}`;
      const { text, decodes, fetches } = prints(part);
      scope.files.set(name, { text, decoded: decodes, fetched: fetches });
      return append(build, name);
    }
    case 'ArithmeticExpansion':
      build.otherParts += 1;
      build.indirect = true;
      return append(build, UNKNOWN);
    case 'Glob':
      build.otherParts += 1;
      build.disguise ??= 'glob';
      return append(build, part.text);
    case 'ExtendedGlob':
      build.otherParts += 1;
      build.disguise ??= 'glob';
      return append(build, UNKNOWN);
    case 'BraceExpansion': {
      build.otherParts += 1;
      build.disguise ??= 'brace';
      build.texts = [...crossed(build.texts, braceWords(part.text))];
      return undefined;
    }
  }
}

function append(build: Build, text: string): void {
  if (build.texts.length === 1) build.texts[0] += text;
  else build.texts = build.texts.map((before) => before + text);
}

function split(text: string): string {
  return text.replace(/\s+/g, BREAK);
}

function variable(build: Build, name: string, quoted: boolean, scope: Scope): void {
  build.otherParts += 1;
  if (name === 'IFS') {
    build.disguise = 'ifs';
    return append(build, quoted ? ' ' : BREAK);
  }
  // A home directory has one spelling here.
  if (name === 'HOME' && !scope.values.has(name)) return append(build, '~');
  build.indirect = true;
  if (scope.made.has(name) || /^[1-9]$/.test(name)) build.disguise ??= 'reassigned';
  const value = scope.values.get(name);
  scope.room -= (value?.length ?? 0) * build.texts.length;
  if (value === undefined || scope.room < 0) return append(build, UNKNOWN);
  return append(build, quoted ? value.replaceAll(BREAK, ' ') : split(value));
}

function parameter(build: Build, part: ParameterExpansionPart, quoted: boolean, scope: Scope, prints: Prints): void {
  if (part.prefix === undefined && part.operation === undefined) {
    const whole = part.index === undefined || part.index.value === '@' || part.index.value === '*';
    if (!whole) build.disguise ??= 'operators';
    return variable(build, part.parameter, quoted && part.index === undefined, scope);
  }
  build.otherParts += 1;
  build.indirect = true;
  if (part.prefix === undefined && part.operation?.type === 'Default') {
    const value = scope.values.get(part.parameter);
    const other = part.operation.operator.includes('+') || part.operation.operator.includes('?');
    scope.room -= (value?.length ?? 0) * build.texts.length;
    if (value !== undefined && value !== '' && !other && scope.room >= 0) return append(build, quoted ? value : split(value));
    const operand = valueOf(part.operation.operand, scope, (node) => ({ from: node.pos, to: node.end }), prints);
    return append(build, quoted ? operand.text : split(operand.text));
  }
  // The length of something spells no name; all else can.
  if (part.prefix !== '#') build.disguise = 'operators';
  return append(build, UNKNOWN);
}
