// SPDX-License-Identifier: Apache-2.0
import type { AgentView, RequestView, StatusView } from '../door/operator-wire.ts';
import { VERSION } from '../version.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { entryLine } from './entry-line.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { grantLine } from './grant.ts';
import type { Io } from './io.ts';
import { entryOf, newestEntries } from './log.ts';
import { columns, styled } from './screen.ts';
import { withLedger } from './with-ledger.ts';

const MOST_AGENTS = 4;

/** Ten lines at most: what is here, what was last refused, what is to be done. */
export async function overview(io: Io, given: Given): Promise<ExitCode> {
  const [status, ledger] = await Promise.all([
    ask<StatusView>(io, { op: 'status' }),
    withLedger(io, async (reader) => {
      const [last] = await newestEntries(reader, { outcome: 'refused' }, 1);
      return { head: await reader.head(), refused: last ?? null };
    }),
  ]);
  if (!status.ok) return status.exit;
  const { agents, requests, posture, problems } = status.value;
  const refused = ledger.ok && ledger.value.refused !== null ? entryOf(ledger.value.refused) : null;
  if (given.options.has('json')) {
    const head = ledger.ok ? { seq: ledger.value.head.seq, hash: ledger.value.head.hash } : null;
    io.screen.json({ version: VERSION, agents, requests, problems, ledger: head, last_refusal: refused });
    return EXIT.ok;
  }
  io.screen.line(styled(`holdfast ${VERSION}`, 'bold'));
  for (const line of columns(agents.slice(0, MOST_AGENTS).map(agentRow))) io.screen.line(line);
  if (agents.length > MOST_AGENTS) io.screen.line(`and ${agents.length - MOST_AGENTS} more agents: holdfast agent list`);
  if (refused === null) io.screen.line('last refusal: none is known');
  else io.screen.line('last refusal: ', ...entryLine(refused));
  if (ledger.ok) io.screen.line(`ledger: ${ledger.value.head.seq} entries, head ${ledger.value.head.hash.slice(0, 16)}`);
  else io.screen.line(styled('ledger: ', 'red'), ledger.error);
  const bad = posture.filter((fact) => fact.state === 'bad').length + problems.length;
  io.screen.line(bad === 0 ? styled('posture: good', 'green') : styled(`posture: ${bad} bad, see: holdfast status`, 'yellow'));
  const [first] = requests;
  io.screen.line(`requests: ${requests.length}`, first === undefined ? '' : `, the first of ${first.agent} for ${first.capability}`);
  io.screen.line('next: ', styled(nextStep(agents, requests), 'bold'));
  return EXIT.ok;
}

function agentRow(agent: AgentView): readonly string[] {
  return [`agent ${agent.name}`, agent.state, agent.type, agent.mode, `${agent.sessions} sessions`, `${agent.grants.length} grants`];
}

function nextStep(agents: readonly AgentView[], requests: readonly RequestView[]): string {
  const request = requests[0];
  if (request !== undefined) return grantLine(request);
  if (agents.length === 0) return 'holdfast agent add FILE';
  const idle = agents.find((agent) => agent.state === 'inactive');
  return idle === undefined ? 'holdfast log --follow' : `holdfast agent start ${idle.name}`;
}
