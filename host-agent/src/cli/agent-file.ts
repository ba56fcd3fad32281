// SPDX-License-Identifier: Apache-2.0
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { readGivenText } from './given-text.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';

export async function agentAdd(io: Io, given: Given): Promise<ExitCode> {
  const path = given.operands[0] ?? '';
  const shown = path === '-' ? 'standard input' : path;
  const text = await readGivenText(io, path, shown);
  if (!text.ok) return usage(io, text.error);
  const request = { op: 'agent-add', file: text.value, replace: given.options.has('replace') } as const;
  const answer = await ask<{ readonly agent: string }>(io, request, shown);
  if (!answer.ok) return answer.exit;
  io.screen.line(`${answer.value.agent} is declared; see: holdfast agent show ${answer.value.agent}`);
  return EXIT.ok;
}

export async function agentRemove(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const answer = await ask(io, { op: 'agent-remove', agent: name });
  if (!answer.ok) return answer.exit;
  io.screen.line(`${name} is removed; its workspace is kept`);
  return EXIT.ok;
}
