// SPDX-License-Identifier: Apache-2.0
import type { Member } from './member.ts';
import type { Value } from './word-values.ts';

export const SHELLS = new Set('sh bash dash ash zsh ksh ksh93 mksh csh tcsh fish yash posh elvish rbash pwsh xonsh nu'.split(' '));

/** By name without a version; the options whose value is code. Where code is the first word that is no option: `first`. */
const CODE_OPTIONS: Readonly<Record<string, RegExp | 'first'>> = {
  python: /^-[A-Za-z]*c$/, pypy: /^-[A-Za-z]*c$/, ipython: /^-c$/,
  perl: /^-[A-Za-z0]*[eE]$/, ruby: /^-[A-Za-z]*e$/, irb: /^-e$/, node: /^(?:-[a-z]*[ep]|--eval|--print)$/, nodejs: /^(?:-[a-z]*[ep]|--eval|--print)$/, deno: /^eval$/, bun: /^(?:-e|--eval)$/,
  php: /^-[a-zA-Z]*[rBRE]$/, lua: /^-e$/, luajit: /^-e$/, texlua: /^-e$/, julia: /^(?:-e|-E|--eval)$/, R: /^-e$/, Rscript: /^-e$/, octave: /^--eval$/, 'octave-cli': /^--eval$/, gnuplot: /^-e$/,
  jrunscript: /^-e$/, jjs: /^-e$/, jshell: /^-e$/, groovy: /^-e$/, scala: /^-e$/, guile: /^-c$/, elixir: /^(?:-e|--eval)$/, erl: /^-eval$/, ghc: /^-e$/, expect: /^-c$/, rpm: /^(?:-E|--eval)$/, sqlmap: /^--eval$/, knife: /^-E$/,
  awk: 'first', gawk: 'first', mawk: 'first', nawk: 'first', gdb: /^(?:-ex|-eval-command|--eval-command|-iex)$/, make: /^--eval$/, m4: /^-D$/, rake: /^-[pe]$/, vim: /^-c$/, nvim: /^-c$/,
};

export function versionless(name: string): string {
  return name.replace(/(?:-?\d+(?:\.\d+)*)$/, '');
}

/** Code that stands in the line, for an interpreter that is no shell. */
export function inlineCode({ name, args }: Member): readonly Value[] {
  const options = CODE_OPTIONS[name] ?? CODE_OPTIONS[versionless(name)];
  if (options === undefined) return [];
  if (options === 'first') {
    const first = args.find(({ text }) => !text.startsWith('-') && !/^\w+=/.test(text));
    return first === undefined || args.some(({ text }) => text === '-f') ? [] : [first];
  }
  return args.flatMap((word, at) => {
    if (options.test(word.text)) return args[at + 1] === undefined ? [] : [args[at + 1]!];
    const equals = word.text.indexOf('=');
    if (equals > 0 && options.test(word.text.slice(0, equals))) return [{ ...word, text: word.text.slice(equals + 1) }];
    return [];
  });
}

export function isInterpreter(name: string): boolean {
  return CODE_OPTIONS[name] !== undefined || CODE_OPTIONS[versionless(name)] !== undefined;
}

export type ShellWords = {
  readonly code: Value | null;
  readonly script: Value | null;
  /** Takes its commands from the terminal, or from what is piped into it. */
  readonly fromInput: boolean;
};

/** `sh -c CODE`, `bash -lc CODE`, `sh FILE`, `sh -s`, `sh`. */
export function shellWords(args: readonly Value[]): ShellWords {
  let wantsCode = false;
  let input = false;
  for (let at = 0; at < args.length; at += 1) {
    const { text } = args[at]!;
    if (/^[-+][A-Za-z]*o$/.test(text) || /^--(?:rcfile|init-file)$/.test(text)) {
      at += 1;
      continue;
    }
    if (text === '--help' || text === '--version') return { code: null, script: null, fromInput: false };
    if (/^-[A-Za-z]*c[A-Za-z]*$/.test(text) || /^--?(?:command|Command)$/.test(text)) wantsCode = true;
    else if (/^-[A-Za-z]*[si][A-Za-z]*$/.test(text)) input = true;
    else if (text === '--' || text === '-') continue;
    else if (/^[-+]./.test(text)) continue;
    else if (wantsCode) return { code: args[at]!, script: null, fromInput: false };
    else if (!input) return { code: null, script: args[at]!, fromInput: false };
  }
  return { code: null, script: null, fromInput: true };
}

const TO_A_SHELL = /\b(?:system|popen|passthru|shell_exec|execSync|exec|getoutput|check_output|check_call|call|run|Popen)\s{0,8}\(?\s{0,8}(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)')/g;
const AS_WORDS = /\b(?:run|call|Popen|check_output|check_call|execv\w*|system|popen)\s{0,8}\(\s{0,8}\[((?:[^\]"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'){0,2048})\]/g;
const MOST_LINES = 64;

/** What code of another language hands to a shell, or runs as a list of words, where it stands there as text. */
export function shellLinesIn(code: string): readonly string[] {
  const lines: string[] = [];
  for (const [, double, single] of code.matchAll(TO_A_SHELL)) {
    if (lines.length === MOST_LINES) break;
    lines.push(literal(double ?? single ?? ''));
  }
  for (const [, list] of code.matchAll(AS_WORDS)) {
    if (lines.length >= 2 * MOST_LINES) break;
    const words = [...list!.matchAll(/"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'/g)].map(([, double, single]) => literal(double ?? single ?? ''));
    lines.push(words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' '));
  }
  return lines;
}

function literal(text: string): string {
  return text.replace(/\\(.)/gs, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c));
}
