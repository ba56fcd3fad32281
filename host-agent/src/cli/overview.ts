// SPDX-License-Identifier: Apache-2.0
import type { AgentView, StatusView } from '../door/operator-wire.ts';
import { VERSION } from '../version.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { entryLine } from './entry-view.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { showGrantLine } from './grant.ts';
import type { Io } from './io.ts';
import { newestEntries } from './log.ts';
import { columns, styled } from './screen.ts';
import { entryOf } from './stored-entry.ts';
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
  for (const line of columns(agents.slice(0, MOST_AGENTS).map(agentRow))) io.screen.line(line);
  if (agents.length > MOST_AGENTS) io.screen.line(`and ${agents.length - MOST_AGENTS} more agents; see: holdfast agent list`);
  if (agents.length === 0) io.screen.line('no agent is declared');
  if (refused === null) io.screen.line('nothing was refused so far');
  else io.screen.line('last refusal ', ...entryLine(refused));
  if (ledger.ok) io.screen.line(`the ledger has ${ledger.value.head.seq} entries; check it with: holdfast verify`);
  else io.screen.line(styled('no ledger: ', 'red'), ledger.error);
  const bad = posture.filter((fact) => fact.state === 'bad').length + problems.length;
  if (bad > 0) io.screen.line(styled(`${counted(bad, 'bad fact')} about this machine; see: holdfast status`, 'yellow'));
  if (requests.length > 0) io.screen.line(`${counted(requests.length, 'request')} to answer; see: holdfast requests`);
  if (requests[0] !== undefined) showGrantLine(io, 'next: ', requests[0], 'bold');
  else io.screen.line('next: ', styled(nextStep(agents, io.login), 'bold'));
  return EXIT.ok;
}

function agentRow(agent: AgentView): readonly string[] {
  return [`agent ${agent.name}`, stateWords(agent), counted(agent.grants.length, 'grant')];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** systemd's words for an agent's program, in a person's. */
function stateWords({ state, sessions }: AgentView): string {
  const connected = sessions === 0 ? 'not connected' : sessions === 1 ? 'connected' : `${sessions} connections`;
  if (state === 'remote') return connected;
  const words: Readonly<Record<string, string>> = { active: 'runs', inactive: 'does not run' };
  return sessions === 0 ? (words[state] ?? state) : `${words[state] ?? state}, ${connected}`;
}

/** Operators have no files on the machine: what they send comes over ssh. */
function nextStep(agents: readonly AgentView[], login: string): string {
  if (agents.length === 0) return `ssh ${login === '' ? 'OPERATOR' : login}@MACHINE holdfast agent add - <FILE`;
  const idle = agents.find((agent) => agent.state === 'inactive' || agent.state === 'failed');
  return idle === undefined ? 'holdfast log --follow' : `holdfast agent start ${idle.name}`;
}
