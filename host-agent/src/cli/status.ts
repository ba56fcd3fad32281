// SPDX-License-Identifier: Apache-2.0
import type { PostureFact, StatusView } from '../door/operator-wire.ts';
import { agentTable } from './agent.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { ledgerFacts } from './ledger-facts.ts';
import { columns, styled } from './screen.ts';

/** Read is good enough for 0: some facts, such as the kind of firmware, nobody can change. `--check` is for whoever wants to be told. */
export async function status(io: Io, given: Given): Promise<ExitCode> {
  const [answer, ledger] = await Promise.all([ask<StatusView>(io, { op: 'status' }), ledgerFacts(io)]);
  if (!answer.ok) return answer.exit;
  const posture = [...answer.value.posture, ...ledger];
  const good = posture.every((fact) => fact.state === 'good') && answer.value.problems.length === 0;
  const exit = good || !given.options.has('check') ? EXIT.ok : EXIT.refused;
  if (given.options.has('json')) {
    io.screen.json({ ...answer.value, posture });
    return exit;
  }
  io.screen.line(styled(`holdfast ${answer.value.version}`, 'bold'), `, boot ${answer.value.boot}`);
  postureLines(io, posture);
  for (const line of agentTable(answer.value.agents)) io.screen.line(line);
  for (const p of answer.value.problems) io.screen.line(styled('refused file ', 'red'), `${p.file}:${p.line}: ${p.message}`);
  if (answer.value.requests.length > 0) io.screen.line(`${answer.value.requests.length} requests wait; see: holdfast requests`);
  return exit;
}

function postureLines(io: Io, posture: readonly PostureFact[]): void {
  const rows = columns(posture.map((fact) => [fact.state, fact.name, fact.detail]));
  posture.forEach((fact, i) => {
    const row = rows[i] ?? '';
    io.screen.line(styled(row.slice(0, fact.state.length), fact.state === 'good' ? 'green' : 'red'), row.slice(fact.state.length));
  });
}
