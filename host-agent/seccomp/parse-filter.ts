// SPDX-License-Identifier: Apache-2.0
import { ERRNO, type Decision, type Errno, type Filter, type Numbers, type Test } from './filter.ts';

/** Text of a file of seccomp/, by its name there. */
export type ReadFile = (name: string) => string;

/** A mistake in the sources ends the build, with file and line. */
class SourceError extends Error {
  constructor(file: string, line: number, message: string) {
    super(`seccomp/${file}:${line}: ${message}`);
  }
}

export function parseNumbers(read: ReadFile, file: string): Numbers {
  const numbers = new Map<string, number>();
  for (const { line, text } of linesOf(read(file))) {
    const match = /^(\d{1,4}) ([a-z_][a-z0-9_]*)$/.exec(text);
    if (match === null) throw new SourceError(file, line, 'not "NUMBER NAME"');
    const nr = Number(match[1]);
    if (numbers.has(match[2]!) || [...numbers.values()].includes(nr)) throw new SourceError(file, line, 'a name or number that was there before');
    numbers.set(match[2]!, nr);
  }
  return numbers;
}

/** A file decides each system call once; over what it includes its own lines count. In the end every call is decided. */
export function parseFilter(read: ReadFile, name: string, numbers: Numbers): Filter {
  const decisions = decisionsOf(read, `${name}.filter`, numbers);
  const open = [...numbers.keys()].filter((call) => !decisions.has(call));
  if (open.length > 0) throw new Error(`seccomp/${name}.filter: says nothing of ${open.join(' ')}`);
  return { name, decisions };
}

function decisionsOf(read: ReadFile, file: string, numbers: Numbers): Map<string, Decision> {
  const included = new Map<string, Decision>();
  const own = new Map<string, Decision>();
  let others: Decision | null = null;
  for (const { line, text } of linesOf(read(file))) {
    const wrong = (message: string) => new SourceError(file, line, message);
    const include = /^include ([a-z][a-z-]*)$/.exec(text);
    if (include !== null) {
      if (own.size > 0 || included.size > 0) throw wrong('an include comes first, and there is one');
      for (const [call, decision] of decisionsOf(read, `${include[1]}.filter`, numbers)) included.set(call, decision);
      continue;
    }
    const said = /^([^:]+): (\S.*)$/.exec(text);
    if (said === null) throw wrong('not "allow|refuse NAME …: REASON"; each line has its reason');
    const words = said[1]!.split(' ');
    if (words[0] === 'others') {
      if (others !== null || words.length !== 2) throw wrong('not "others ERRNO: REASON", once');
      others = { kind: 'refuse', errno: errnoOf(words[1], wrong) };
      continue;
    }
    const call = words[1] ?? '';
    if (!numbers.has(call)) throw wrong(`no system call is named "${call}"`);
    if (own.has(call)) throw wrong(`${call} was decided before`);
    own.set(call, decisionOf([words[0]!, ...words.slice(2)], wrong));
  }
  const rest = others;
  if (rest !== null) for (const call of numbers.keys()) if (!own.has(call) && !included.has(call)) own.set(call, rest);
  return new Map([...included, ...own]);
}

type Wrong = (message: string) => SourceError;

function decisionOf(words: readonly string[], wrong: Wrong): Decision {
  if (words[0] === 'refuse' && words.length === 2) return { kind: 'refuse', errno: errnoOf(words[1], wrong) };
  if (words[0] !== 'allow') throw wrong('not "allow NAME [when ARG TEST else ERRNO]" or "refuse NAME ERRNO"');
  if (words.length === 1) return { kind: 'allow' };
  const arg = /^arg([0-5])$/.exec(words[2] ?? '');
  if (words[1] !== 'when' || arg === null || words.at(-2) !== 'else') throw wrong('not "when ARG TEST else ERRNO"');
  return { kind: 'when', arg: Number(arg[1]), test: testOf(words.slice(3, -2), wrong), errno: errnoOf(words.at(-1), wrong) };
}

function testOf([verb, ...rest]: readonly string[], wrong: Wrong): Test {
  const negated = verb === 'is' && rest[0] === 'not';
  const values = (negated ? rest.slice(1) : rest).map((word) => valueOf(word, wrong));
  if (verb === 'is' && values.length > 0 && new Set(values).size === values.length) return { op: negated ? 'is not' : 'is', values };
  if (verb === 'lacks' && values.length === 1 && values[0] !== 0) return { op: 'lacks', bits: values[0]! };
  throw wrong('not "is VALUE…", "is not VALUE…" or "lacks BITS"');
}

function valueOf(word: string, wrong: Wrong): number {
  const value = /^(?:0|[1-9]\d{0,9}|0x[1-9a-f][0-9a-f]{0,7})$/.test(word) ? Number(word) : Infinity;
  if (value > 0xffff_ffff) throw wrong(`"${word}" is no value of 32 bits`);
  return value;
}

function errnoOf(word: string | undefined, wrong: Wrong): Errno {
  if (word === undefined || !Object.hasOwn(ERRNO, word)) throw wrong(`"${word ?? ''}" is none of ${Object.keys(ERRNO).join(', ')}`);
  return word as Errno;
}

function linesOf(text: string): readonly { readonly line: number; readonly text: string }[] {
  return text.split('\n').map((t, i) => ({ line: i + 1, text: t })).filter(({ text: t }) => t !== '' && !t.startsWith('#'));
}
