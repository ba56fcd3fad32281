// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { allGrants } from '../capability/grant.ts';
import { loadYaml } from '../config/strict-yaml.ts';
import type { Declared, DeclaredAgent, Problem } from '../config/declared.ts';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { startProgram, stopProgram } from './agent-programs.ts';
import { agentUnit } from './agent-units.ts';
import { actorOf, declaredAgent, draftBy, type OperatorDoorPorts } from './operator-ports.ts';
import { viewOf } from './operator-grants.ts';
import { usageOf } from './operator-usage.ts';
import type { AgentView, OperatorAnswer } from './operator-wire.ts';

/** Only where the file must lie is read here; what it says is holdfast-declare's to judge. */
const named = z.object({ name: z.string() });

export async function agentViews(ports: OperatorDoorPorts): Promise<readonly AgentView[]> {
  const now = ports.now();
  const grants = allGrants(ports.grants()).filter((grant) => now < grant.notAfter);
  return Promise.all(
    ports.declared().agents.map(async (agent) => ({
      name: agent.name,
      pack: agent.pack,
      id: agent.id,
      type: agent.type,
      mode: agent.mode,
      state: await stateOf(ports, agent),
      sessions: ports.sessionsOf(agent.name),
      unserved: whyUnserved(ports, agent),
      notStarted: ports.runs.whyRefused(agent.name),
      capabilities: agent.capabilities,
      usage: agent.net === null ? null : usageOf(ports, agent),
      grants: grants.filter((grant) => grant.agent === agent.name).map((grant) => viewOf(grant, now)),
    })),
  );
}

function whyUnserved(ports: OperatorDoorPorts, { name }: DeclaredAgent): string | null {
  const confined = ports.confined(name);
  return confined.ok ? null : confined.error;
}

async function stateOf(ports: OperatorDoorPorts, agent: DeclaredAgent): Promise<string> {
  if (agent.program === null) return 'remote';
  const state = await ports.units.unitState(agentUnit(agent.name));
  if (!state.ok) return 'unknown';
  return state.value.active === 'inactive' && ports.runs.hasFailed(agent.name) ? 'failed' : state.value.active;
}

export async function startAgent(ports: OperatorDoorPorts, operator: OperatorPrincipal, text: string): Promise<OperatorAnswer<null>> {
  const agent = declaredAgent(ports, text);
  if (!agent.ok) return agent;
  const { name, program } = agent.value;
  if (program === null) return refuse(`${name} has no program of its own: it connects from elsewhere (ssh agent-${name}@box)`);
  return startProgram(ports, actorOf(operator), name);
}

export async function stopAgent(ports: OperatorDoorPorts, operator: OperatorPrincipal, text: string): Promise<OperatorAnswer<null>> {
  const agent = declaredAgent(ports, text);
  if (!agent.ok) return agent;
  const { name, program } = agent.value;
  if (program === null) return refuse(`${name} has no program of its own to stop`);
  return stopProgram(ports, actorOf(operator), name);
}

type Added = OperatorAnswer<{ readonly agent: string }>;

export async function addAgent(ports: OperatorDoorPorts, operator: OperatorPrincipal, text: string, replace: boolean): Promise<Added> {
  // Two at once would each take the other's file for what was there before.
  return ports.oneAtATime(() => add(ports, operator, text, replace));
}

async function add(ports: OperatorDoorPorts, operator: OperatorPrincipal, text: string, replace: boolean): Promise<Added> {
  const said = loadYaml('the file', text, named);
  if (!said.ok) return refuse(words(said.problems));
  const name = parseAgentName(said.value.name);
  if (!name.ok) return refuse(`line ${said.lineOf(['name'])}: ${name.error}`);
  const before = await ports.files.read(name.value);
  if (!before.ok) return before;
  if (!replace && (before.value !== null || declaredAgent(ports, name.value).ok)) {
    return refuse(`an agent named ${name.value} is declared already; to put this file in its place, say --replace`);
  }
  const good = foreseen(ports, name.value, text);
  if (!good.ok) return refuse(`the file of ${name.value} is refused, and nothing is changed: ${good.error}`);
  const recorded = await ports.record(
    draftBy(operator, 'configuration.changed', {
      what: before.value === null ? 'agent file added' : 'agent file replaced',
      agent: name.value,
      digest: sha256Hex(new TextEncoder().encode(text)),
    }),
  );
  if (!recorded.ok) return refuse(`nothing is changed, for it cannot be recorded: ${recorded.error}`);
  const written = await ports.files.write(name.value, text);
  const declared = written.ok ? await declaredFrom(ports, name.value) : written;
  if (declared.ok) return accept({ agent: name.value });
  return withdrawn(ports, operator, name.value, before.value, declared.error);
}

/**
 * What holdfast-declare will say, before anything is written: once it has refused a file, the agent of the file before is stopped and its
 * grants are gone, and no putting back brings them back.
 */
function foreseen(ports: OperatorDoorPorts, name: AgentName, text: string): Result<null> {
  const will = ports.foresee(name, text);
  const said = saidOf(ports, will, name);
  if (said?.ok !== true) return said ?? refuse('no agent of this name would be declared');
  const lost = ports.declared().agents.filter((agent) => !will.agents.some((a) => a.name === agent.name));
  if (lost.length === 0) return said;
  const known = ports.declared().problems.map((p) => `${p.file}: ${p.message}`);
  const why = will.problems.map((p) => `${p.file}: ${p.message}`).filter((problem) => !known.includes(problem));
  return refuse([`${lost.map((agent) => agent.name).join(', ')} would no longer be declared`, ...why].join('; '));
}

/** What a declaration says of an agent's file; null when it says nothing. */
function saidOf(ports: OperatorDoorPorts, { agents, problems }: Declared, name: AgentName): Result<null> | null {
  const own = problems.filter((p) => p.file === ports.files.pathOf(name));
  if (own.length > 0) return refuse(words(own));
  return agents.some((a) => a.name === name) ? accept(null) : null;
}

/** Declared as the file says, or why not. A run of holdfast-declare that began before the file lay there says neither: once more then. */
async function declaredFrom(ports: OperatorDoorPorts, name: AgentName): Promise<Result<null>> {
  for (let turn = 0; turn < 3; turn += 1) {
    const declared = await ports.redeclare();
    if (!declared.ok) return declared;
    const said = saidOf(ports, declared.value, name);
    if (said !== null) return said;
  }
  return refuse(`holdfast-declare says nothing about ${name}; its journal says why`);
}

async function withdrawn(
  ports: OperatorDoorPorts,
  operator: OperatorPrincipal,
  name: AgentName,
  before: string | null,
  why: string,
): Promise<OperatorAnswer<never>> {
  const back = before === null ? await ports.files.remove(name) : await ports.files.write(name, before);
  const again = back.ok ? await ports.redeclare() : back;
  const what = before === null ? 'agent file withdrawn' : 'agent file put back';
  const data = { what, agent: name, why: why.slice(0, 1_024).toWellFormed() };
  const recorded = await ports.record(draftBy(operator, 'configuration.changed', data));
  const rest = [back, again, recorded].flatMap((step) => (step.ok ? [] : [step.error]));
  return refuse([`${name} is not declared: ${why}`, ...rest].join('; '));
}

export async function removeAgent(ports: OperatorDoorPorts, operator: OperatorPrincipal, text: string): Promise<OperatorAnswer<null>> {
  return ports.oneAtATime(() => remove(ports, operator, text));
}

async function remove(ports: OperatorDoorPorts, operator: OperatorPrincipal, text: string): Promise<OperatorAnswer<null>> {
  const name = parseAgentName(text);
  if (!name.ok) return name;
  const file = await ports.files.read(name.value);
  if (!file.ok) return file;
  if (file.value === null) {
    const known = declaredAgent(ports, name.value);
    return known.ok ? refuse(`${name.value} is declared by the image; it can be stopped: holdfast agent stop ${name.value}`) : known;
  }
  const recorded = await ports.record(draftBy(operator, 'configuration.changed', { what: 'agent file removed', agent: name.value }));
  if (!recorded.ok) return refuse(`nothing is changed, for it cannot be recorded: ${recorded.error}`);
  const agent = declaredAgent(ports, name.value);
  if (agent.ok && agent.value.program !== null) {
    const stopped = await stopProgram(ports, actorOf(operator), name.value);
    if (!stopped.ok) return stopped;
  }
  const removed = await ports.files.remove(name.value);
  if (!removed.ok) return removed;
  const gone = await goneFrom(ports, name.value);
  return gone.ok ? gone : refuse(`the file of ${name.value} is removed, but ${gone.error}`);
}

/** No agent of this name is declared any more. One of the image comes back when the file that stood in its place goes. */
async function goneFrom(ports: OperatorDoorPorts, name: AgentName): Promise<Result<null>> {
  const comesBack = ports.foresee(name, null).agents.some((a) => a.name === name);
  for (let turn = 0; turn < 3; turn += 1) {
    const declared = await ports.redeclare();
    if (!declared.ok) return declared;
    if (!declared.value.agents.some((a) => a.name === name)) return accept(null);
    if (comesBack) return refuse(`an agent of this name is declared by the image; it can be stopped: holdfast agent stop ${name}`);
  }
  return refuse(`${name} is still declared; the journal of holdfast-declare.service says why`);
}

function words(problems: readonly Problem[]): string {
  return problems.map((p) => `line ${p.line}: ${p.message}`).join('; ');
}
