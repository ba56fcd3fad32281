// SPDX-License-Identifier: Apache-2.0
import { open } from 'node:fs/promises';
import { accept, refuse, type Result } from '../identity/result.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';

const MOST_BYTES = 256 * 1024;

export async function agentAdd(io: Io, given: Given): Promise<ExitCode> {
  const path = given.operands[0] ?? '';
  const shown = path === '-' ? 'standard input' : path;
  const text = await readText(io, path, shown);
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

async function readText(io: Io, path: string, shown: string): Promise<Result<string>> {
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    const file = path === '-' ? null : await open(path, 'r');
    for await (const chunk of file?.createReadStream() ?? io.stdin) {
      const bytes = Buffer.from(chunk as Buffer | string);
      size += bytes.length;
      if (size > MOST_BYTES) return refuse(`cannot use ${shown}: it is longer than ${MOST_BYTES} bytes`);
      chunks.push(bytes);
    }
    return accept(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks)));
  } catch (fault) {
    return refuse(`cannot read ${shown}: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}
