// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseAgentName } from '../identity/ids.ts';
import { wholeNumber, type Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';
import { styled } from './screen.ts';

// holdfastd has no access to the journal. Operators have it themselves (group systemd-journal), so the one program that the CLI ever
// starts reads it with their rights; the name in its arguments was parsed, and nothing is looked up in PATH or taken from the environment.

export async function agentLogs(io: Io, given: Given): Promise<ExitCode> {
  const name = parseAgentName(given.operands[0] ?? '');
  if (!name.ok) return usage(io, name.error);
  const lines = wholeNumber('lines', given.options.get('lines') ?? '50', 1, 10_000);
  if (!lines.ok) return usage(io, lines.error);
  const args = ['--no-pager', '--quiet', '--output=cat', `--lines=${lines.value}`, `--unit=holdfast-agent@${name.value}.service`];
  const journal = spawn('/usr/bin/journalctl', args, { env: {}, stdio: ['ignore', 'pipe', 'pipe'], signal: io.stop });
  const ended = new Promise<number | Error>((resolve) => {
    journal.on('error', resolve);
    journal.on('close', (code) => resolve(code ?? -1));
  });
  // A line without an end is cut by readline's own reading of chunks; journald splits lines at 48 KiB before that.
  createInterface({ input: journal.stdout }).on('line', (line) => io.screen.line(line));
  createInterface({ input: journal.stderr }).on('line', (line) => io.screen.complain(line));
  const end = await ended;
  if (end === 0) return EXIT.ok;
  const why = end instanceof Error ? end.message : `journalctl ended with ${end}`;
  io.screen.complain(styled('unavailable: ', 'red'), `cannot read the journal: ${why}`);
  return EXIT.unavailable;
}
