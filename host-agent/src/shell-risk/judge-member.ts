// SPDX-License-Identifier: Apache-2.0
import { inlineCode, isInterpreter, shellLinesIn, SHELLS, shellWords, versionless } from './interpreters.ts';
import { finding, say, type Judging } from './judging.ts';
import { memberOf, type Member } from './member.ts';
import { isOutside, isWide, pathIn, resolved } from './paths.ts';
import { rulesOf } from './rule-index.ts';
import type { WordsUse, Written } from './scope.ts';
import type { ProgramRule } from './tables.ts';
import type { Finding, Span } from './verdict.ts';
import { UNKNOWN, type Disguise, type Value } from './word-values.ts';
import { foundCommands, innerCommand } from './wrappers.ts';

const MOST_MEMBERS = 4096;
const MOST_WRAPPERS = 16;
/** Of a word that xargs fills in. */
const MOST_FILLED = 65_536;

const DISGUISES: Readonly<Record<Disguise, Finding>> = {
  escapes: finding('escaped-command', 'obfuscation', 'critical', 'spells a command with escapes'),
  backslashes: finding('backslashed-command', 'obfuscation', 'critical', 'spells a command with backslashes'),
  quotes: finding('quoted-command', 'obfuscation', 'critical', 'spells a command with quotes that nothing needs'),
  brace: finding('braced-command', 'obfuscation', 'critical', 'spells a command with braces'),
  glob: finding('globbed-command', 'obfuscation', 'critical', 'spells a command with a pattern'),
  ifs: finding('split-command', 'obfuscation', 'critical', 'spells a command with the separator of fields'),
  operators: finding('cut-command', 'obfuscation', 'critical', 'cuts a command out of a variable'),
  fetched: finding('fetched-command', 'fetch-and-run', 'red', 'runs what was fetched'),
  decoded: finding('decoded-command', 'decode-and-run', 'critical', 'decodes a command and runs it'),
  reassigned: finding('changing-command', 'obfuscation', 'critical', 'runs a variable that has had more than one value'),
};
const NOT_LITERAL = finding('computed-command', 'hidden-command', 'red', 'runs what a variable or another command says');
const UNLISTED = finding('unlisted', 'unlisted', 'critical', 'is not on the list of allowed commands');
const TOO_MANY = finding('too-many', 'unreadable', 'critical', 'holds more commands than are read');
const TOO_WRAPPED = finding('too-wrapped', 'unreadable', 'critical', 'has more programs around a program than are looked through');
const ESCAPED_ARGUMENT = finding('escaped-argument', 'obfuscation', 'critical', 'spells plain letters with escapes');
const INTERACTIVE = finding('open-shell', 'hidden-command', 'red', 'opens a shell whose commands nobody has seen');
const DECODED_INPUT = finding('decode-and-run', 'decode-and-run', 'critical', 'runs what was decoded');
const FETCHED_INPUT = finding('fetch-and-run', 'fetch-and-run', 'red', 'runs what was fetched');
const UNSEEN_INPUT = finding('unseen-input', 'hidden-command', 'red', 'runs what another command prints');
const OUTSIDE = finding('outside', 'outside', 'red', 'names a place that no call has');
const OUTSIDE_PROGRAM = finding('foreign-program', 'outside', 'red', 'runs a program from a place where anybody may put one');
const WIDE = finding('removes-wide', 'destruction', 'critical', 'removes or changes all that lies below a wide place');
const WIDE_UNKNOWN = finding('removes-unknown', 'destruction', 'red', 'removes all below a place that only running the line would tell');
const ELSEWHERE = finding('runs-elsewhere', 'exfiltration', 'red', 'runs a command on another machine');
const HIDDEN_EVAL = finding('computed-eval', 'hidden-command', 'red', 'has the shell read text that only running the line would tell');
const INLINE = finding('inline-code', 'inline-code', 'yellow', 'runs code that stands in the line');
const ESCAPE_WORD = finding('escape-word', 'shell-escape', 'red', 'is how many programs are told to start a shell');

/** Programs that change what their arguments name; all others are thought to read it. */
const WRITERS = new Set('tee cp mv install ln dd touch truncate rm rmdir unlink shred chmod chown chgrp chattr setfacl mkdir sed gsed patch rsync scp update-alternatives visudo ed'.split(' '));
/** Options by which any program writes where it is told. */
const OUTPUT = /^--?out[\w-]*=|^-[oO][/~]/;
const OUTPUT_NEXT = /^-[oO]$|^--out[\w-]*$/;
/** Whose first word is a pattern or a text, not a file. */
const PATTERN_FIRST = new Set('grep egrep fgrep rg ag sed gsed awk gawk mawk nawk jq yq ack tr expr'.split(' '));
/** Who prints, compares or sends a path without opening it. */
const TALKERS = new Set('echo printf test [ [[ basename dirname man tldr whatis apropos : true false return exit export'.split(' '));

export function judgeMember(judging: Judging, member: Member): void {
  judging.members += 1;
  if (judging.members > MOST_MEMBERS) {
    if (judging.members === MOST_MEMBERS + 1) say(judging, TOO_MANY, member.span);
    return;
  }
  judgeProgram(judging, member);
  judgeWords(judging, member);
  for (const rule of rulesOf(judging.rules, member.name)) if (holds(rule, member)) found(judging, rule, rule.rule === 'looks-at-neighbours' ? rule.rule : member.name, member.span);
  judgeRemoval(judging, member);
  judgeWithin(judging, member);
}

/** What runs commands that the line does not show: none of them is on a list (R30). */
function sayUnseen(judging: Judging, what: Finding, span: Span): void {
  say(judging, what, span);
  if (judging.allowed !== null) say(judging, UNLISTED, span);
}

/** Help and version are no act. */
const ASKS_ONLY = /^(?:--help|--version|-help)$/;

function found(judging: Judging, rule: Finding, kind: string, span: Span): void {
  say(judging, rule, span);
  if (rule.class === 'discovery' && rule.risk === 'yellow') judging.looked.set(kind, span);
}

function holds(rule: ProgramRule, { args, stdin }: Member): boolean {
  if (args.length === 1 && ASKS_ONLY.test(args[0]!.text)) return false;
  if (rule.some !== undefined && !args.some(({ text }) => rule.some!.test(text))) return false;
  if (rule.none !== undefined && args.some(({ text }) => rule.none!.test(text))) return false;
  if (rule.piped !== undefined && stdin === null) return false;
  if (rule.bare !== undefined && (stdin !== null || args.some(({ text }) => !text.startsWith('-')))) return false;
  return rule.first === undefined || rule.first.test(args.find(({ text }) => !/^[-+]./.test(text))?.text ?? '');
}

function judgeProgram(judging: Judging, { program, name }: Member): void {
  if (program.disguise !== null) say(judging, DISGUISES[program.disguise], program.span);
  if (program.indirect) say(judging, NOT_LITERAL, program.span);
  if (judging.allowed !== null && !judging.allowed.has(program.text) && !judging.allowed.has(name)) say(judging, UNLISTED, program.span);
  if (/^[!:]+[!/]|^:!|^!\w/.test(program.text)) say(judging, ESCAPE_WORD, program.span);
  const path = pathIn(program);
  if (path !== null && isOutside(path, judging.places)) say(judging, OUTSIDE, program.span);
  else if (path !== null && /^\/(?:tmp|var\/tmp|dev\/shm|run)\/./.test(path)) say(judging, OUTSIDE_PROGRAM, program.span);
}

function judgeWords(judging: Judging, member: Member): void {
  const { args, name } = member;
  const searched = /^(?:[ef]?grep|rg|ag|ack)$/.test(name) ? args.find(({ text }) => !text.startsWith('-')) : undefined;
  for (const word of args) {
    if (word.disguise === 'escapes') say(judging, ESCAPED_ARGUMENT, word.span);
    if (word === searched || !judging.rules.anyArgument.test(word.text)) continue;
    for (const rule of judging.rules.arguments) {
      if (rule.argument.test(word.text) && !judging.rules.excepted.get(rule.rule)!.has(name)) say(judging, rule, word.span);
    }
  }
  if (TALKERS.has(name)) return;
  let pattern = PATTERN_FIRST.has(name);
  const writes = WRITERS.has(name);
  args.forEach((word, at) => {
    if (pattern && !word.text.startsWith('-')) pattern = false;
    else judgePlace(judging, word, writes || OUTPUT.test(word.text) || OUTPUT_NEXT.test(args[at - 1]?.text ?? '') ? 'write' : 'read');
  });
}

export function judgePlace(judging: Judging, word: Value, how: 'read' | 'write'): void {
  const path = pathIn(word) ?? (word.text.includes('.git/') || /^[\w.-]+\.(?:pth|py)$|customize\.py$|\.pth$/.test(word.text) ? word.text : null);
  if (path === null) return;
  if (judging.rules.anyPlace.test(path)) for (const rule of judging.rules.places) {
    if ((rule.when === 'any' || rule.when === how) && rule.path.test(path)) found(judging, rule, rule.rule, word.span);
  }
  if (isOutside(path, judging.places)) say(judging, OUTSIDE, word.span);
}

const REMOVERS = new Set('rm chmod chown chgrp chattr shred srm'.split(' '));

function judgeRemoval(judging: Judging, { name, args, span }: Member): void {
  if (!REMOVERS.has(name) || !args.some(({ text }) => /^-[A-Za-z]*[rR]|^--recursive/.test(text))) return;
  for (const word of args) {
    const path = pathIn(word);
    if (path !== null && isWide(path)) say(judging, WIDE, span);
    else if (name === 'rm' && /^(?:\.\.?\/?|\*|\.\*|\.\.\/\*)$/.test(word.text)) say(judging, WIDE_UNKNOWN, word.span);
    else if (name === 'rm' && /^\0+(?:\/\*?)?$/.test(word.text)) say(judging, WIDE_UNKNOWN, word.span);
  }
}

/** `env -S 'rm -rf /'`: one word that env splits. */
function judgeSplit(judging: Judging, { args }: Member): void {
  args.forEach(({ text, span }, at) => {
    const option = /^(?:-[A-Za-z]*S|--split-string=?)(.*)$/.exec(text);
    if (option !== null) judging.code(option[1] === '' ? (args[at + 1]?.text ?? '') : option[1]!, span, 'refused');
  });
}

export function judgeVariable(judging: Judging, name: string, text: string, span: Span): void {
  for (const rule of judging.rules.variables) {
    if (rule.name.test(name) && (rule.value === undefined || rule.value.test(text))) say(judging, rule, span);
  }
}

/** What this command runs: a wrapper's command, a shell's code, an interpreter's. */
function judgeWithin(judging: Judging, member: Member): void {
  const { name, args, span } = member;
  const rest = { span, stdin: member.stdin, writes: member.writes };
  const inner = innerCommand(member);
  if (name === 'env') judgeSplit(judging, member);
  if (inner !== null) {
    for (const word of inner.before) judgeVariable(judging, word.text.slice(0, word.text.indexOf('=')), word.text.slice(word.text.indexOf('=') + 1), word.span);
    if (inner.joined && name !== 'watch') say(judging, ELSEWHERE, span);
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
  if (judging.wrapped >= MOST_WRAPPERS) return say(judging, TOO_WRAPPED, inner.span);
  judging.wrapped += 1;
  judgeMember(judging, by === 'xargs' ? { ...inner, stdin: null } : inner);
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
  else if (args.every(({ text }) => text !== '--version' && text !== '--help' && text !== '-n')) sayUnseen(judging, INTERACTIVE, span);
  if (name === 'fish' && args.some(({ text }) => text.startsWith('--'))) return;
}

/** `sh /dev/stdin`, `bash <(…)`: what such a file holds is what was piped in or printed there. */
function judgeInput(judging: Judging, script: Value, span: Span, stdin: Written | null): void {
  if (/^\/dev\/(?:stdin|fd\/)/.test(script.text) && !judging.scope.files.has(script.text)) judgeWritten(judging, stdin ?? { text: null, decoded: false, fetched: false }, span);
}

function judgeText(judging: Judging, words: readonly Value[], span: Span): void {
  const text = words.map((word) => word.text).join(' ');
  if (words.some(({ disguise }) => disguise === 'decoded')) sayUnseen(judging, DECODED_INPUT, span);
  if (words.some(({ disguise }) => disguise === 'fetched')) sayUnseen(judging, FETCHED_INPUT, span);
  if (words.some(({ disguise }) => disguise === 'escapes')) say(judging, ESCAPED_ARGUMENT, span);
  if (text.trim() === UNKNOWN) sayUnseen(judging, HIDDEN_EVAL, span);
  else judging.code(text, span, 'refused');
}

export function judgeWritten(judging: Judging, { text, decoded, fetched }: Written, span: Span): void {
  if (decoded) sayUnseen(judging, DECODED_INPUT, span);
  if (fetched) sayUnseen(judging, FETCHED_INPUT, span);
  if (text !== null) judging.code(text, span, 'refused');
  else if (!decoded && !fetched) sayUnseen(judging, UNSEEN_INPUT, span);
}

/** A file that the line itself has written is known by what was put there. */
function judgeFile(judging: Judging, file: Value | null, span: Span, script: boolean): void {
  if (file === null) return;
  const written = judging.scope.files.get(fileKey(file.text));
  if (written !== undefined) {
    if (written.decoded) sayUnseen(judging, DECODED_INPUT, span);
    if (written.fetched) sayUnseen(judging, FETCHED_INPUT, span);
    if (written.text !== null && (script || /^#!.*sh\b|^[^#]/.test(written.text))) judging.code(written.text, span, 'refused');
  } else if (script) {
    if (file.text === UNKNOWN || file.disguise === 'decoded') sayUnseen(judging, HIDDEN_EVAL, span);
    const path = pathIn(file);
    if (path !== null && /^\/(?:tmp|var\/tmp|dev\/shm)\/./.test(path)) say(judging, OUTSIDE_PROGRAM, file.span);
  }
}

export function fileKey(text: string): string {
  return text.startsWith('/') || text.startsWith('~') ? resolved(text) : text.replace(/^(?:\.\/)+/, '');
}

export function judgeCode(judging: Judging, text: string, span: Span): void {
  for (const line of shellLinesIn(text)) judging.code(line, span, 'passed');
  for (const rule of judging.rules.code) if (rule.code.test(text)) say(judging, rule, span);
  const how = /[>]\s*["']?\/|write|["'][wa]\+?["']/.test(text) ? 'write' : 'read';
  for (const [, path] of text.matchAll(/["'<>\s(=](\/[\w.][^\s"'()<>;,]*)/g)) {
    judgePlace(judging, { text: path!, span, indirect: false, disguise: null }, how);
  }
}

function judgeInterpreter(judging: Judging, member: Member): void {
  const { name, args, span, stdin } = member;
  if (!isInterpreter(name)) return;
  const code = inlineCode(member);
  for (const word of code) {
    if (!name.endsWith('awk')) say(judging, INLINE, word.span);
    if (word.text === UNKNOWN) sayUnseen(judging, HIDDEN_EVAL, word.span);
    if (word.disguise === 'decoded') sayUnseen(judging, DECODED_INPUT, word.span);
    judgeCode(judging, word.text, word.span);
  }
  const operand = args.find(({ text }) => !/^-./.test(text));
  if (code.length === 0 && stdin !== null && (operand === undefined || operand.text === '-') && /^(?:python|perl|ruby|node|php|lua|m4|R)/.test(name)) {
    if (stdin.decoded) sayUnseen(judging, DECODED_INPUT, span);
    else if (stdin.fetched) sayUnseen(judging, FETCHED_INPUT, span);
    else if (stdin.text === null) sayUnseen(judging, UNSEEN_INPUT, span);
    if (stdin.text !== null) judgeCode(judging, stdin.text, span);
  }
  const written = operand === undefined ? undefined : judging.scope.files.get(fileKey(operand.text));
  if (written?.text !== undefined && written.text !== null) judgeCode(judging, written.text, span);
  if (written?.decoded === true) sayUnseen(judging, DECODED_INPUT, span);
  if (written?.fetched === true) sayUnseen(judging, FETCHED_INPUT, span);
}

/** An option by whose name its value is a command: `--rsh=…`, `--password-command …`, `-I 'sh -c …'`. */
const TAKES_COMMAND = /^--?(?:[\w-]*[-_])?(?:command|cmd|exec|script|shell|hook|pager|editor|rsh|program|filter|up|down|reloadcmd|on-[a-z-]+|pdflatex|grep-bin)$/;
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
