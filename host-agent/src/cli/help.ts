// SPDX-License-Identifier: Apache-2.0
import { VERSION } from '../version.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { columns, styled } from './screen.ts';

export function version(io: Io): ExitCode {
  io.screen.line(`holdfast ${VERSION}`);
  return EXIT.ok;
}

/** All commands, or those that begin with the words given. */
export function helpOverview(io: Io, group: readonly string[]): ExitCode {
  const shown = COMMANDS.filter((c) => group.every((word, i) => c.words[i] === word));
  io.screen.line(styled('usage: holdfast [COMMAND] [--help]', 'bold'));
  for (const line of columns(shown.map((c) => [`  ${['holdfast', ...c.words].join(' ')}`, c.summary]))) io.screen.line(line);
  io.screen.line('exit status: 0 done, 1 refused or a negative finding, 64 usage, 69 unavailable, 70 fault');
  return EXIT.ok;
}

export function helpFor(io: Io, command: Command): ExitCode {
  io.screen.line(styled(`usage: ${usageLine(command)}`, 'bold'));
  io.screen.line(`  ${command.summary}`);
  if (command.options.length > 0) io.screen.line('options:');
  const rows = command.options.map((o) => [
    `  ${o.short === undefined ? '' : `-${o.short}, `}--${o.name}${o.value === null ? '' : ` ${o.value}`}`,
    o.help,
  ]);
  for (const line of columns(rows)) io.screen.line(line);
  io.screen.line('examples:');
  for (const example of command.examples) io.screen.line(`  ${example}`);
  return EXIT.ok;
}

function usageLine(command: Command): string {
  const operands = command.operands.filter((o) => o.never === undefined).map((o) => (o.optional ? `[${o.name}]` : o.name));
  const required = command.options.filter((o) => o.required).map((o) => `--${o.name} ${o.value}`);
  const rest = command.options.some((o) => !o.required) ? ['[OPTIONS]'] : [];
  return ['holdfast', ...command.words, ...operands, ...required, ...rest].join(' ');
}
