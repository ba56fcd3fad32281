// SPDX-License-Identifier: Apache-2.0
// Brings a static program into an agent's workspace, compiled with the tools tree's own compiler.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, repository, runInTools } from '../../image/host/workplace.ts';
import type { ToolAnswer } from './door.ts';
import { root } from './machine.ts';

export async function bringProbe(agent: string): Promise<void> {
  await bringProgram(agent, 'probe');
  root(`rm -f /var/lib/holdfast-workspaces/${agent}/made-by-probe`);
}

/** A program of tests/vm/probe. */
export async function bringProgram(agent: string, name: string): Promise<void> {
  const out = join(cache, 'probe');
  mkdirSync(out, { recursive: true });
  await runInTools([repository, out], ['gcc', '-static', '-pthread', '-O1', '-Wall', '-Werror', '-o', join(out, name), join(repository, `tests/vm/probe/${name}.c`)]);
  const program = readFileSync(join(out, name)).toString('base64');
  root(`base64 -d >/var/lib/holdfast-workspaces/${agent}/${name} && chmod 755 /var/lib/holdfast-workspaces/${agent}/${name}`, program);
}

/** What a program of process.run wrote to its standard output. */
export function stdout(answer: ToolAnswer): string {
  return (answer.data['stdout'] as { content?: string } | undefined)?.content ?? `no output: ${answer.text}`;
}

/** The probe's lines as a table: `act arg` → `ok` or the errno's name. */
export function probed(answer: ToolAnswer): Record<string, string> {
  return results(stdout(answer));
}

export function results(lines: string): Record<string, string> {
  const rows = lines.split('\n').map((line) => /^(\S+ \S+) (ok|E\w+)$/.exec(line.trim()));
  return Object.fromEntries(rows.filter((m) => m !== null).map((m) => [m[1]!, m[2]!]));
}

/** What is answered otherwise than before. */
export function changes(before: Record<string, string>, after: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(after).filter(([act, answer]) => before[act] !== answer).map(([act, answer]) => [act, `${before[act]} → ${answer}`]));
}
