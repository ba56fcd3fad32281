// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';

/** `never`: nothing may stand there, and why. Neither the usage line nor the refusal shows what did: it may be a secret. */
export type Operand = { readonly name: string; readonly optional?: true; readonly never?: string };
export type Option = {
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the usage line; null for a switch. */
  readonly value: string | null;
  readonly required?: true;
  readonly help: string;
};

export type Command = {
  readonly words: readonly string[];
  readonly operands: readonly Operand[];
  readonly options: readonly Option[];
  readonly summary: string;
  readonly examples: readonly string[];
  /** Loads the command's own file only when it is run: the CLI starts as fast as the bare runtime allows. */
  readonly run: (io: Io, given: Given) => Promise<ExitCode>;
};

/** A command line that was read: operands in order, options by name; a switch holds ''. */
export type Given = { readonly operands: readonly string[]; readonly options: ReadonlyMap<string, string> };

export function parseGiven(command: Command, words: readonly string[]): Result<Given> {
  const see = `see: holdfast ${command.words.join(' ')} --help`;
  const operands: string[] = [];
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word === '--') {
      operands.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      continue;
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const shown = equals < 0 ? word : word.slice(0, equals);
    const option = command.options.find((o) => shown === `--${o.name}` || (o.short !== undefined && shown === `-${o.short}`));
    if (option === undefined) return refuse(`unknown option ${shown}; ${see}`);
    if (options.has(option.name)) return refuse(`--${option.name} is given twice`);
    if (option.value === null) {
      if (equals >= 0) return refuse(`--${option.name} takes no value`);
      options.set(option.name, '');
      continue;
    }
    const value = equals >= 0 ? word.slice(equals + 1) : words[(at += 1)];
    if (value === undefined || value === '') return refuse(`--${option.name} needs a value (${option.value}); ${see}`);
    options.set(option.name, value);
  }
  const missing = command.operands.find((o, i) => o.optional === undefined && o.never === undefined && operands[i] === undefined);
  if (missing !== undefined) return refuse(`${missing.name} is missing; ${see}`);
  const never = command.operands.find((o, i) => o.never !== undefined && operands[i] !== undefined)?.never;
  if (never !== undefined) return refuse(never);
  const extra = operands[command.operands.length];
  if (extra !== undefined) return refuse(`"${extra}" is one word too many; ${see}`);
  const unsaid = command.options.find((o) => o.required !== undefined && !options.has(o.name));
  if (unsaid !== undefined) return refuse(`--${unsaid.name} ${unsaid.value ?? ''} is missing; ${see}`);
  return accept({ operands, options });
}

/** The command whose words begin the line; of `agent` and `agent list`, the longer. */
export function findCommand(commands: readonly Command[], words: readonly string[]): Command | null {
  const fitting = commands.filter((c) => c.words.every((word, i) => words[i] === word));
  return fitting.sort((a, b) => b.words.length - a.words.length)[0] ?? null;
}

export function wholeNumber(name: string, text: string, least: number, most: number): Result<number> {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return accept(value);
  return refuse(`--${name} must be a whole number from ${least} to ${most}, not "${text}"`);
}
