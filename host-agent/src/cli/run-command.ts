// SPDX-License-Identifier: Apache-2.0
import { findCommand, parseGiven } from './command.ts';
import { COMMANDS } from './commands.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { styled } from './screen.ts';

/** One command line, already split into words and without the leading `holdfast`. */
export async function runCommand(io: Io, words: readonly string[]): Promise<ExitCode> {
  const asksHelp = words[0] === 'help' || words[0] === '--help' || words[0] === '-h';
  if (asksHelp) return help(io, words.slice(1));
  if (words[0] === '--version') return runCommand(io, ['version']);
  const command = findCommand(COMMANDS, words);
  if (command === null || (command.words.length === 0 && words[0] !== undefined && !words[0].startsWith('-'))) return unknown(io, words);
  const rest = words.slice(command.words.length);
  const end = rest.indexOf('--');
  if (rest.slice(0, end < 0 ? rest.length : end).some((word) => word === '--help' || word === '-h')) return help(io, command.words);
  const given = parseGiven(command, rest);
  if (!given.ok) return usage(io, given.error);
  try {
    return await command.run(io, given.value);
  } catch (fault) {
    io.screen.complain(styled('holdfast: ', 'red'), fault instanceof Error ? fault.message : String(fault));
    return EXIT.fault;
  }
}

/** For a command's own reading of its words. */
export function usage(io: Io, error: string): ExitCode {
  io.screen.complain(styled('holdfast: ', 'red'), error);
  return EXIT.usage;
}

function unknown(io: Io, words: readonly string[]): ExitCode {
  const group = COMMANDS.filter((c) => c.words.length > 1 && c.words[0] === words[0]);
  if (group.length === 0) return usage(io, `unknown command "${words[0] ?? ''}"; see: holdfast --help`);
  const verbs = group.map((c) => c.words[1]).join(', ');
  return usage(io, `holdfast ${words[0] ?? ''} needs one of: ${verbs}${words[1] === undefined ? '' : `; "${words[1]}" is none of them`}`);
}

async function help(io: Io, words: readonly string[]): Promise<ExitCode> {
  const { helpFor, helpOverview } = await import('./help.ts');
  if (words.length === 0) return helpOverview(io, []);
  const command = findCommand(COMMANDS, words);
  if (command !== null && command.words.length === words.length) return helpFor(io, command);
  if (COMMANDS.some((c) => words.every((word, i) => c.words[i] === word))) return helpOverview(io, words);
  return unknown(io, words);
}
