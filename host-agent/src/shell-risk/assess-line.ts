// SPDX-License-Identifier: Apache-2.0
import { forEachChild, parse, type Command, type Function as ShellFunction, type ParsedScript, type Pipeline, type Redirection, type SyntaxNode, type Word } from 'unbash';
import { SHELLS } from './interpreters.ts';
import { say, type Judging } from './judging.ts';
import { judgeMember, judgePlace } from './judge-member.ts';
import { judgeVariable } from './judge-variable.ts';
import { MOST_CODE, MOST_DEPTH, MOST_LEVELS, MOST_LINE, MOST_PRINTING, MOST_VALUES } from './limits.ts';
import { memberOf, type Member } from './member.ts';
import { fileKey, USUAL_PLACES } from './paths.ts';
import { NOTHING, outputOf, Piped, type Printed } from './output.ts';
import { USUAL_RULES, type RuleIndex } from './rule-index.ts';
import { assign, emptyScope, UNKNOWN, type Written } from './scope.ts';
import { SHAPES } from './shapes.ts';
import { verdictOf, type Span, type Verdict } from './verdict.ts';
import { arrayText, valueOf, valuesOf, type Place, type Value } from './word-values.ts';

export type RiskOptions = {
  /** R30: commands that may be run, by name; without it there is no such list. */
  readonly allowed?: ReadonlySet<string>;
  /** Directories that the agent may see, beside those of every call. */
  readonly places?: readonly string[];
};

/** Runs what is within, unless it lies too deep. */
type Nested = (span: Span, within: () => void) => void;

/** R27 to R30. Pure, bounded, and in proportion to the length of the line; a fault of the parser is the caller's to deny. */
export function assessLine(line: string, options: RiskOptions = {}, rules: RuleIndex = USUAL_RULES): Verdict {
  const whole = { from: 0, to: line.length };
  if (line.length > MOST_LINE) return verdictOf([{ ...SHAPES.tooLong, span: whole }]);
  const control = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.exec(line);
  if (control !== null) return verdictOf([{ ...SHAPES.control, span: { from: control.index, to: control.index + 1 } }]);
  let depth = 0;
  let read = 0;
  let level = 0;
  let printing = 0;
  const nested: Nested = (span, within) => {
    if (level >= MOST_LEVELS) return say(judging, SHAPES.tooDeep, span);
    level += 1;
    within();
    level -= 1;
    return undefined;
  };
  const judging: Judging = {
    rules,
    allowed: options.allowed ?? null,
    places: options.places === undefined ? USUAL_PLACES : [...USUAL_PLACES, ...options.places],
    scope: emptyScope(),
    found: [],
    looked: new Map(),
    printed: new Map(),
    members: 0,
    wrapped: 0,
    prints: (part) => {
      if (printing >= MOST_PRINTING) {
        say(judging, SHAPES.tooDeep, whole);
        return NOTHING;
      }
      printing += 1;
      const printed = outputOf(judging, part.script ?? null);
      printing -= 1;
      return printed;
    },
    member: (member) => judgeMember(judging, member),
    place: (word, how) => judgePlace(judging, word, how),
    code: (text, span, unreadable) => {
      read += text.length;
      if (depth >= MOST_DEPTH || read > MOST_CODE) return say(judging, SHAPES.tooDeep, span);
      const script = parse(text);
      if (unreadable === 'passed' && script.errors !== undefined && script.errors.length > 0) return undefined;
      depth += 1;
      readScript(judging, script, () => span, nested);
      depth -= 1;
      return undefined;
    },
  };
  // Where a parser that repairs puts an end may lie behind that of the text.
  readScript(judging, parse(line), (node) => ({ from: Math.min(node.pos, line.length), to: Math.min(Math.max(node.pos, node.end), line.length) }), nested);
  if (judging.looked.size > 1) for (const span of judging.looked.values()) say(judging, SHAPES.survey, span);
  return verdictOf(judging.found);
}

function readScript(judging: Judging, script: ParsedScript, place: Place, nested: Nested): void {
  const visit = (node: SyntaxNode, stdin: Written | null): void => nested(place(node), () => enter(node, stdin));
  const enter = (node: SyntaxNode, stdin: Written | null): void => {
    switch (node.type) {
      case 'Script':
        // What such a line holds is guessed; nothing can make it worse.
        if (node.errors !== undefined && node.errors.length > 0) {
          for (const { pos } of node.errors.slice(0, 3)) say(judging, SHAPES.unreadable, place({ pos, end: pos + 1 }));
          return;
        }
        break;
      case 'Command':
        readCommand(judging, node, place, stdin);
        break;
      case 'Pipeline':
        readPipeline(judging, node, stdin, visit);
        return;
      case 'Redirected': {
        const input = inputOf(judging, node.redirects, place) ?? stdin;
        readRedirects(judging, node.redirects, place, null);
        for (const redirect of node.redirects) visit(redirect, null);
        visit(node.command, input);
        return;
      }
      case 'Function':
        readFunction(judging, node, place);
        break;
      case 'For':
      case 'Select':
        readLoop(judging, node.name, node.wordlist ?? [], place);
        break;
      case 'CommandExpansion':
        // Escaped backticks are text of their own, with positions of their own.
        if (node.script?.source !== undefined) return readScript(judging, node.script, () => place(node), nested);
        break;
      default:
        break;
    }
    // A pipe into a loop or a group is a pipe into what stands there.
    const through = ['Statement', 'AndOr', 'CompoundList', 'Subshell', 'BraceGroup', 'While', 'If', 'Script'].includes(node.type) ? stdin : null;
    forEachChild(node, (child) => visit(child, through));
  };
  visit(script, null);
}

function readPipeline(judging: Judging, node: Pipeline, first: Written | null, visit: (node: SyntaxNode, stdin: Written | null) => void): void {
  let stdin = first;
  let stages = 0;
  for (const command of node.commands) {
    const before = stdin;
    visit(command, before);
    stdin = new Piped(judging, command, before);
    // Worked out on the way, so that who asks at the end of a long pipeline does not go back all of it at once.
    stages += 1;
    if (stages % 16 === 0) outputOf(judging, command, before);
  }
}

function readCommand(judging: Judging, node: Command, place: Place, piped: Written | null): void {
  const values: Value[] = node.name === undefined ? [] : [...valuesOf(node.name, judging.scope, place, judging.prints)];
  for (const word of node.args) {
    if (values.length > MOST_VALUES) break;
    if (word.type === 'Word') values.push(...valuesOf(word, judging.scope, place, judging.prints));
    else if (node.name?.value === 'alias' && word.value.type === 'Word') values.push(named(word.name, valueOf(word.value, judging.scope, place, judging.prints)));
    else readAssignment(judging, word, place);
  }
  for (const prefix of node.prefix) if (prefix.type === 'Assignment') readAssignment(judging, prefix, place);
  const stdin = inputOf(judging, node.redirects, place) ?? piped;
  if (values.length > MOST_VALUES) return say(judging, SHAPES.tooManyWords, place(node));
  const member = memberOf(values, { span: place(node), stdin, writes: [] });
  readRedirects(judging, node.redirects, place, member === null ? null : () => outputOf(judging, node, stdin));
  if (member === null) return;
  rememberFiles(judging, node, member);
  judgeMember(judging, member);
  // What a running shell puts into a variable is not known here.
  const read = /^(?:read|mapfile|readarray|getopts)$/.test(member.name) ? member.args : member.name === 'printf' && member.args[0]?.text === '-v' ? member.args.slice(1, 2) : [];
  for (const { text } of read) {
    judging.scope.values.set(text, UNKNOWN);
    judging.scope.made.add(text);
  }
}

function named(name: string, value: Value): Value {
  return { ...value, text: `${name}=${value.text}` };
}

function readAssignment(judging: Judging, node: Extract<SyntaxNode, { type: 'Assignment' }>, place: Place): void {
  const { scope, prints } = judging;
  const text = node.value.type === 'ArrayValue' ? arrayText(node.value, scope, place, prints) : valueOf(node.value, scope, place, prints).text;
  judgeVariable(judging, node.name, text, place(node));
  if (node.append === true) assign(scope, node.name, (scope.values.get(node.name) ?? '') + text);
  else assign(scope, node.name, text);
  if (node.append === true) scope.made.delete(node.name);
  if (node.value.type !== 'ArrayValue' && valueOf(node.value, scope, place, prints).disguise === 'decoded') scope.made.add(node.name);
}

function readLoop(judging: Judging, name: Word, list: readonly Word[], place: Place): void {
  const values = list.flatMap((word) => valuesOf(word, judging.scope, place, judging.prints));
  for (const value of values) judgePlace(judging, value, 'read');
  judging.scope.values.set(name.value, values.length === 1 ? values[0]!.text : UNKNOWN);
  if (values.length > 1 && values.every(({ text }) => !text.includes(UNKNOWN))) judging.scope.made.add(name.value);
}

function readFunction(judging: Judging, node: ShellFunction, place: Place): void {
  const name = node.name.value;
  let calls = 0;
  let [runs, reads] = [false, false];
  const look = (child: SyntaxNode): void => {
    if (child.type === 'Pipeline' && child.commands.filter((one) => one.type === 'Command' && one.name?.value === name).length > 1) calls += 2;
    if (child.type === 'Statement' && child.background === true && child.command.type === 'Command' && child.command.name?.value === name) calls += 2;
    if (child.type === 'Command' && child.name !== undefined) {
      runs ||= /^"?\$\{?[1-9@*]/.test(child.name.text);
      reads ||= child.name.value === 'eval' || SHELLS.has(child.name.value);
    }
    forEachChild(child, look);
  };
  look(node.body);
  judging.scope.functions.set(name, { runs, reads });
  if (calls > 1) say(judging, SHAPES.forkBomb, place(node));
}

/** A here-document, a here-string, or a file that the line wrote. */
function inputOf(judging: Judging, redirects: readonly Redirection[], place: Place): Written | null {
  let input: Written | null = null;
  for (const redirect of redirects) {
    if (redirect.type === 'HereDoc') input = { text: redirect.body.text, decoded: false, fetched: false };
    else if (redirect.type === 'HereString') {
      const value = redirect.target === undefined ? null : valueOf(redirect.target, judging.scope, place, judging.prints);
      input = { text: value?.text ?? null, decoded: value?.disguise === 'decoded', fetched: false };
    } else if (redirect.operator === '<' && redirect.target !== undefined) {
      const substitution = redirect.target.parts?.find((part) => part.type === 'ProcessSubstitution');
      const value = valueOf(redirect.target, judging.scope, place, judging.prints);
      if (substitution?.type === 'ProcessSubstitution') {
        const printed = outputOf(judging, substitution.script ?? null);
        input = { text: printed.text, decoded: printed.decodes, fetched: printed.fetches };
      } else if (!/^\/dev\/(?:null|tty)/.test(value.text)) input = judging.scope.files.get(fileKey(value.text)) ?? { text: null, decoded: false, fetched: false };
    }
  }
  return input;
}

function readRedirects(judging: Judging, redirects: readonly Redirection[], place: Place, prints: (() => Printed) | null): void {
  for (const redirect of redirects) {
    if (redirect.type !== 'Redirect' || redirect.target === undefined) continue;
    const value = valueOf(redirect.target, judging.scope, place, judging.prints);
    judgePlace(judging, value, redirect.operator === '<' ? 'read' : 'write');
    for (const rule of judging.rules.arguments) if (rule.rule === 'socket-path' && rule.argument.test(value.text)) say(judging, rule, value.span);
    if (redirect.operator === '<' || prints === null || (redirect.descriptor?.type === 'FileDescriptor' && redirect.descriptor.value !== 1)) continue;
    const printed = prints();
    const key = fileKey(value.text);
    const before = redirect.operator === '>>' ? judging.scope.files.get(key) : undefined;
    const text = printed.text === null || before?.text === null ? null : (before?.text ?? '') + printed.text;
    judging.scope.files.set(key, { text, decoded: printed.decodes || before?.decoded === true, fetched: printed.fetches || before?.fetched === true });
    // A text that starts a shell, put where something will run it.
    if (printed.text !== null) for (const rule of judging.rules.arguments) if (rule.rule === 'shell-in-argument' && rule.argument.test(printed.text)) say(judging, rule, value.span);
  }
}

const OUTPUT_OPTION = /^-[a-zA-Z]*[oO]$|^--out(?:put(?:-document)?|file)?$|^-out$/;
const NAMES_OUTPUT = /^-[a-zA-Z]*[oO]$|^--?out|^\w+:\/\//;

/** Files that a program writes by its own options. */
function rememberFiles(judging: Judging, node: Command, { name, args, stdin }: Member): void {
  const put = (word: Value | undefined, written: Written): void => {
    if (word !== undefined && word.text !== '-') judging.scope.files.set(fileKey(word.text), written);
  };
  if (name === 'tee') for (const word of args) if (!word.text.startsWith('-')) put(word, stdin ?? NOTHING_WRITTEN);
  const printed = args.some(({ text }) => NAMES_OUTPUT.test(text)) ? outputOf(judging, node, stdin) : NOTHING;
  if (printed.decodes || printed.fetches) {
    const written = { text: null, decoded: printed.decodes, fetched: printed.fetches };
    args.forEach((word, at) => {
      if (OUTPUT_OPTION.test(word.text)) put(args[at + 1], written);
    });
    const address = args.find(({ text }) => /^\w+:\/\//.test(text));
    if (printed.fetches && address !== undefined) put({ ...address, text: address.text.slice(address.text.lastIndexOf('/') + 1) }, written);
  }
  if (/^(?:cp|mv|ln|install)$/.test(name)) {
    const [source, target] = args.filter(({ text }) => !text.startsWith('-')).slice(-2);
    const known = source === undefined ? undefined : judging.scope.files.get(fileKey(source.text));
    if (known !== undefined) put(target, known);
  }
}

const NOTHING_WRITTEN: Written = { text: NOTHING.text, decoded: false, fetched: false };
