// SPDX-License-Identifier: Apache-2.0
import type { AgentView } from '../door/operator-wire.ts';
import { ask, type Answered } from './ask.ts';
import type { Given } from './command.ts';
import { showDuration } from './duration.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { columns, styled } from './screen.ts';
import { usageLines } from './usage.ts';

export async function agentList(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly AgentView[]>(io, { op: 'agents' });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    for (const agent of answer.value) io.screen.json(agent);
    return EXIT.ok;
  }
  if (answer.value.length === 0) io.screen.line('no agent is declared; see: holdfast agent add --help');
  for (const line of agentTable(answer.value)) io.screen.line(line);
  return EXIT.ok;
}

export function agentTable(agents: readonly AgentView[]): readonly string[] {
  if (agents.length === 0) return [];
  const rows = agents.map((a) => [a.name, a.state, a.type, a.mode, String(a.sessions), String(a.grants.length)]);
  const unserved = agents.filter((a) => a.unserved !== null).map((a) => `${a.name} is not served: ${a.unserved}`);
  const notStarted = agents.filter((a) => a.unserved === null && a.notStarted !== null).map((a) => `${a.name} was not started: ${a.notStarted}`);
  return [...columns([['AGENT', 'STATE', 'TYPE', 'MODE', 'SESSIONS', 'GRANTS'], ...rows]), ...unserved, ...notStarted];
}

export async function agentShow(io: Io, given: Given): Promise<ExitCode> {
  const agent = await oneAgent(io, given.operands[0] ?? '');
  if (!agent.ok) return agent.exit;
  const { value } = agent;
  if (given.options.has('json')) {
    io.screen.json(value);
    return EXIT.ok;
  }
  const { name, state, id, type, mode, sessions } = value;
  io.screen.line(styled(name, 'bold'), ` is ${state}; ${id}, type ${type}, ${mode}, ${sessions} sessions`);
  if (value.unserved !== null) io.screen.line(styled('not served: ', 'yellow'), value.unserved);
  else if (value.notStarted !== null) io.screen.line(styled('not started: ', 'yellow'), value.notStarted);
  io.screen.line('holds');
  for (const capability of value.capabilities) io.screen.line(`  ${capability}`);
  const spent = usageLines(value.usage);
  if (spent.length > 0) io.screen.line('spent');
  for (const line of spent) io.screen.line(`  ${line}`);
  if (value.grants.length > 0) io.screen.line('granted');
  for (const g of value.grants) {
    const uses = g.usesLeft === null ? '' : `, ${g.usesLeft} uses`;
    io.screen.line(`  ${g.capability}  ${showDuration(g.leftMs)} left${uses}, by ${g.grantedBy}: ${g.reason} (${g.id})`);
  }
  return EXIT.ok;
}

export async function agentStart(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const answer = await ask(io, { op: 'agent-start', agent: name });
  if (!answer.ok) {
    if (answer.exit === EXIT.refused) io.screen.complain(`what its program said last: holdfast agent logs ${name}`);
    return answer.exit;
  }
  io.screen.line(`${name} is started; see: holdfast agent logs ${name}`);
  return EXIT.ok;
}

export async function agentStop(io: Io, given: Given): Promise<ExitCode> {
  const name = given.operands[0] ?? '';
  const answer = await ask(io, { op: 'agent-stop', agent: name });
  if (!answer.ok) return answer.exit;
  io.screen.line(`${name} is stopped`);
  return EXIT.ok;
}

export async function oneAgent(io: Io, name: string): Promise<Answered<AgentView>> {
  const answer = await ask<readonly AgentView[]>(io, { op: 'agents' });
  if (!answer.ok) return answer;
  const value = answer.value.find((a) => a.name === name);
  if (value !== undefined) return { ok: true, value };
  io.screen.complain(styled('refused: ', 'red'), `no agent is named "${name}"; see: holdfast agent list`);
  return { ok: false, exit: EXIT.refused };
}
