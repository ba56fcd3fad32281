// SPDX-License-Identifier: Apache-2.0
import { inlineCode, isInterpreter, shellLinesIn, SHELLS, shellWords, versionless } from './interpreters.ts';
import { judgeVariable } from './judge-variable.ts';
import { say, type Judging } from './judging.ts';
import { MOST_FILLED, MOST_WRAPPERS } from './limits.ts';
import { memberOf, type Member } from './member.ts';
import { fileKey, pathIn } from './paths.ts';
import { UNKNOWN, type WordsUse, type Written } from './scope.ts';
import { SHAPES } from './shapes.ts';
import type { Finding, Span } from './verdict.ts';
import type { Value } from './word-values.ts';
import { foundCommands, innerCommand } from './wrappers.ts';

/** What this command runs: a wrapper's command, a shell's code, an interpreter's. */
export function judgeWithin(judging: Judging, member: Member): void {
  const { name, args, span } = member;
  const rest = { span, stdin: member.stdin, writes: member.writes };
  const inner = innerCommand(member);
  if (name === 'env') judgeSplit(judging, member);
  if (inner !== null) {
    for (const word of inner.before) judgeVariable(judging, word.text.slice(0, word.text.indexOf('=')), word.text.slice(word.text.indexOf('=') + 1), word.span);
    if (inner.joined && name !== 'watch') say(judging, SHAPES.elsewhere, span);
    if (inner.joined) judging.code(inner.words.map(({ text }) => text).join(' '), span, 'refused');
    else runInner(judging, name, filledIn(member, inner.words), rest);
  }
  for (const words of foundCommands(member)) {
    const roots = args.filter(({ text }) => !text.startsWith('-')).slice(0, 1);
    runInner(judging, name, words.flatMap((word) => (word.text === '{}' ? [roots[0] ?? word] : [word])), rest);
  }
  const shell = SHELLS.has(versionless(name)) || SHELLS.has(name);
  if (shell) judgeShell(judging, member);
  else if (name === 'eval') judgeText(judging, args, span);
  else if ((name === 'trap' && args.length > 1) || name === 'alias') {
    for (const word of name === 'trap' ? args.slice(0, 1) : args) judging.code(name === 'trap' ? word.text : word.text.replace(/^[^=\s]+=/, ''), word.span, 'refused');
  } else if (name === 'source' || name === '.') judgeFile(judging, args[0] ?? null, span, true);
  else if (name === 'set' && args[0]?.text === '--') runInner(judging, name, inPlainSight(args.slice(1)), rest);
  else if (judging.scope.functions.has(name)) judgeCall(judging, member, judging.scope.functions.get(name)!);
  else {
    judgeInterpreter(judging, member);
    judgeOptions(judging, member);
    judgeFile(judging, member.program, span, false);
  }
}

/** `env -S 'rm -rf /'`: one word that env splits. */
function judgeSplit(judging: Judging, { args }: Member): void {
  args.forEach(({ text, span }, at) => {
    const option = /^(?:-[A-Za-z]*S|--split-string=?)(.*)$/.exec(text);
    if (option !== null) judging.code(option[1] === '' ? (args[at + 1]?.text ?? '') : option[1]!, span, 'refused');
  });
}

/** What runs commands that the line does not show: none of them is on a list (R30). */
function sayUnseen(judging: Judging, what: Finding, span: Span): void {
  say(judging, what, span);
  if (judging.allowed !== null) say(judging, SHAPES.unlisted, span);
}

/** A function may run its words, or have a shell read them. */
function judgeCall(judging: Judging, { name, args, span, stdin, writes }: Member, { runs, reads }: WordsUse): void {
  if (runs) runInner(judging, name, inPlainSight(args), { span, stdin, writes });
  if (reads) for (const word of args) judging.code(word.text, word.span, 'passed');
}

/** What the words say is judged where they are run; that they come from variables is no fault of theirs. */
function inPlainSight(words: readonly Value[]): readonly Value[] {
  return words.map((word) => ({ ...word, indirect: false, disguise: null }));
}

function runInner(judging: Judging, by: string, words: readonly Value[], rest: Pick<Member, 'span' | 'stdin' | 'writes'>): void {
  const from = words[0]?.span.from ?? rest.span.from;
  const inner = memberOf(words, { ...rest, span: { from: Math.min(from, rest.span.to), to: Math.max(from, rest.span.to) } });
  // A shell behind xargs takes its words, not its input.
  if (inner === null) return;
  if (judging.wrapped >= MOST_WRAPPERS) return say(judging, SHAPES.tooWrapped, inner.span);
  judging.wrapped += 1;
  judging.member(by === 'xargs' ? { ...inner, stdin: null } : inner);
  judging.wrapped -= 1;
}

/** xargs puts what it reads where it was told to, or at the end. */
function filledIn({ name, args, stdin }: Member, words: readonly Value[]): readonly Value[] {
  if (!/^g?xargs$|^parallel$/.test(name)) return words;
  const at = args.findIndex(({ text }) => text.startsWith('-I') || text.startsWith('--replace'));
  const mark = at === -1 ? (name === 'parallel' ? '{}' : null) : args[at]!.text.length > 2 && args[at]!.text.startsWith('-I') ? args[at]!.text.slice(2) : (args[at + 1]?.text ?? '{}');
  const given = stdin?.text?.trim() ?? UNKNOWN;
  const span = words[0]?.span ?? { from: 0, to: 0 };
  // Who names a separator may keep blanks within a word.
  const pieces = given.split(args.some(({ text }) => /^-[a-z]*[0d]|^--(?:delimiter|null)/.test(text)) ? /\n/ : /\s+/).map((text) => ({ text, span, indirect: true, disguise: null }));
  if (mark === null) return [...words, ...pieces];
  if (mark === '') return words;
  return words.map((word) => {
    if (!word.text.includes(mark)) return word;
    const long = (word.text.length / mark.length) * given.length > MOST_FILLED;
    return { ...word, text: long ? UNKNOWN : word.text.replaceAll(mark, given), indirect: true };
  });
}

function judgeShell(judging: Judging, { name, args, span, stdin }: Member): void {
  const { code, script, fromInput } = shellWords(args);
  if (code !== null) judgeText(judging, [code], code.span);
  if (script !== null) judgeFile(judging, script, span, true);
  if (script !== null) judgeInput(judging, script, span, stdin);
  if (!fromInput) return;
  if (stdin !== null) judgeWritten(judging, stdin, span);
  else if (args.every(({ text }) => text !== '--version' && text !== '--help' && text !== '-n')) sayUnseen(judging, SHAPES.interactive, span);
  if (name === 'fish' && args.some(({ text }) => text.startsWith('--'))) return;
}

/** `sh /dev/stdin`, `bash <(…)`: what such a file holds is what was piped in or printed there. */
function judgeInput(judging: Judging, script: Value, span: Span, stdin: Written | null): void {
  if (/^\/dev\/(?:stdin|fd\/)/.test(script.text) && !judging.scope.files.has(script.text)) judgeWritten(judging, stdin ?? { text: null, decoded: false, fetched: false }, span);
}

function judgeText(judging: Judging, words: readonly Value[], span: Span): void {
  const text = words.map((word) => word.text).join(' ');
  if (words.some(({ disguise }) => disguise === 'decoded')) sayUnseen(judging, SHAPES.decodedInput, span);
  if (words.some(({ disguise }) => disguise === 'fetched')) sayUnseen(judging, SHAPES.fetchedInput, span);
  if (words.some(({ disguise }) => disguise === 'escapes')) say(judging, SHAPES.escapedArgument, span);
  if (text.trim() === UNKNOWN) sayUnseen(judging, SHAPES.hiddenEval, span);
  else judging.code(text, span, 'refused');
}

function judgeWritten(judging: Judging, { text, decoded, fetched }: Written, span: Span): void {
  if (decoded) sayUnseen(judging, SHAPES.decodedInput, span);
  if (fetched) sayUnseen(judging, SHAPES.fetchedInput, span);
  if (text !== null) judging.code(text, span, 'refused');
  else if (!decoded && !fetched) sayUnseen(judging, SHAPES.unseenInput, span);
}

/** A file that the line itself has written is known by what was put there. */
function judgeFile(judging: Judging, file: Value | null, span: Span, script: boolean): void {
  if (file === null) return;
  const written = judging.scope.files.get(fileKey(file.text));
  if (written !== undefined) {
    if (written.decoded) sayUnseen(judging, SHAPES.decodedInput, span);
    if (written.fetched) sayUnseen(judging, SHAPES.fetchedInput, span);
    if (written.text !== null && (script || /^#!.*sh\b|^[^#]/.test(written.text))) judging.code(written.text, span, 'refused');
  } else if (script) {
    if (file.text === UNKNOWN || file.disguise === 'decoded') sayUnseen(judging, SHAPES.hiddenEval, span);
    const path = pathIn(file);
    if (path !== null && /^\/(?:tmp|var\/tmp|dev\/shm)\/./.test(path)) say(judging, SHAPES.outsideProgram, file.span);
  }
}

function judgeCode(judging: Judging, text: string, span: Span): void {
  for (const line of shellLinesIn(text)) judging.code(line, span, 'passed');
  for (const rule of judging.rules.code) if (rule.code.test(text)) say(judging, rule, span);
  const how = /[>]\s*["']?\/|write|["'][wa]\+?["']/.test(text) ? 'write' : 'read';
  for (const [, path] of text.matchAll(/["'<>\s(=](\/[\w.][^\s"'()<>;,]*)/g)) {
    judging.place({ text: path!, span, indirect: false, disguise: null }, how);
  }
}

function judgeInterpreter(judging: Judging, member: Member): void {
  const { name, args, span, stdin } = member;
  if (!isInterpreter(name)) return;
  const code = inlineCode(member);
  for (const word of code) {
    if (!name.endsWith('awk')) say(judging, SHAPES.inline, word.span);
    if (word.text === UNKNOWN) sayUnseen(judging, SHAPES.hiddenEval, word.span);
    if (word.disguise === 'decoded') sayUnseen(judging, SHAPES.decodedInput, word.span);
    judgeCode(judging, word.text, word.span);
  }
  const operand = args.find(({ text }) => !/^-./.test(text));
  if (code.length === 0 && stdin !== null && (operand === undefined || operand.text === '-') && /^(?:python|perl|ruby|node|php|lua|m4|R)/.test(name)) {
    if (stdin.decoded) sayUnseen(judging, SHAPES.decodedInput, span);
    else if (stdin.fetched) sayUnseen(judging, SHAPES.fetchedInput, span);
    else if (stdin.text === null) sayUnseen(judging, SHAPES.unseenInput, span);
    if (stdin.text !== null) judgeCode(judging, stdin.text, span);
  }
  const written = operand === undefined ? undefined : judging.scope.files.get(fileKey(operand.text));
  if (written?.text !== undefined && written.text !== null) judgeCode(judging, written.text, span);
  if (written?.decoded === true) sayUnseen(judging, SHAPES.decodedInput, span);
  if (written?.fetched === true) sayUnseen(judging, SHAPES.fetchedInput, span);
}

/** An option by whose name its value is a command: `--rsh=…`, `--password-command …`, `-I 'sh -c …'`. */
const TAKES_COMMAND = /^--?(?:[\w-]*(?:command|cmd|exec|script|shell|hook|pager|editor|rsh|program|filter|-bin)|up|down|on-[a-z-]+)$/;
const CONFIGURES_COMMAND = /^(?:core\.(?:sshCommand|pager|editor|fsmonitor|gitProxy|askpass)|credential\.helper|diff\.external|sequence\.editor|alias\.[\w-]+|pager\.\w+)$/i;
const SHELL_WITH_CODE = /^(?:\/[\w./-]*\/)?(?:ba|da|z|k)?sh\s+-\w*c\s/;
const NEEDS_COMMAND = /^!|[;|&`$\0]|^\s*[/~.]\S|^(?:\S*sh|sudo)\s/;

/** Whose options of such names take something else. */
const OWN_OPTIONS = new Set(['find', 'sudo', 'curl', 'wget']);

function judgeOptions(judging: Judging, { name, args }: Member): void {
  if (OWN_OPTIONS.has(name)) return;
  args.forEach((word, at) => {
    if (SHELL_WITH_CODE.test(word.text)) judging.code(word.text, word.span, 'refused');
    const equals = word.text.indexOf('=');
    const option = equals > 0 ? word.text.slice(0, equals) : word.text;
    if (!TAKES_COMMAND.test(option) && !CONFIGURES_COMMAND.test(option)) return;
    const value = equals > 0 ? word.text.slice(equals + 1) : (args[at + 1]?.text ?? '');
    if (NEEDS_COMMAND.test(value)) judging.code(value.replace(/^!/, ''), word.span, 'passed');
  });
}
