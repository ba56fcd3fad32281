// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Actor, EntryDraft, JsonObject } from '../ledger/entry.ts';
import type { OperatorDoorPorts } from './operator-ports.ts';
import { agentUnit } from './agent-units.ts';

// Starting and stopping an agent's program, by a person at the operators' door or by the granted call of another agent: one way, so
// that whose word was the last is known, and each start and end is recorded once.

export type ProgramPorts = Pick<OperatorDoorPorts, 'units' | 'runs' | 'record' | 'startIsOver' | 'lastStop'>;

export type StartPorts = {
  readonly units: Pick<ProgramPorts['units'], 'startUnit'>;
  readonly runs: Pick<ProgramPorts['runs'], 'starting' | 'notStarted' | 'refused'>;
} & Pick<OperatorDoorPorts, 'confined' | 'keepBeforeRun'>;

export async function startProgram(ports: ProgramPorts & StartPorts, by: Actor, name: AgentName): Promise<Result<null>> {
  const state = await ports.units.unitState(agentUnit(name));
  if (state.ok && state.value.active === 'active') return accept(null);
  const started = await startUnit(ports, name);
  if (!started.ok) return refuse(`${name} stays stopped: ${started.error}`);
  const recorded = await ports.record(draftOf(by, 'agent.started', { agent: name, ...started.value }));
  if (recorded.ok) {
    ports.startIsOver(name);
    ports.lastStop.delete(name);
    ports.runs.started(name);
    return accept(null);
  }
  ports.runs.stopping(name);
  await ports.units.stopUnit(agentUnit(name));
  return refuse(`${name} is stopped again, for its start cannot be recorded: ${recorded.error}`);
}

/** Whoever asks for it: the answer is what its entry says of what was kept before. A refusal is told by `agent list` until the next start. */
export async function startUnit({ confined, keepBeforeRun, runs, units }: StartPorts, name: AgentName): Promise<Result<JsonObject>> {
  const refused = (why: string): Result<never> => {
    runs.refused(name, why);
    return refuse(why);
  };
  // systemd would refuse a profile that is missing, and start one that only complains.
  const held = confined(name);
  if (!held.ok) return refused(held.error);
  const kept = await keepBeforeRun(name);
  if (!kept.ok) return refused(kept.error);
  try {
    runs.starting(name);
    const started = await units.startUnit(agentUnit(name));
    if (started.ok) return accept(kept.value.data);
    runs.notStarted(name);
    return refused(started.error);
  } finally {
    kept.value.letGo();
  }
}

/** Stopping never waits for the ledger: whoever pulls a plug wants it pulled. What did not run is not recorded as stopped. */
export async function stopProgram(ports: ProgramPorts, by: Actor, name: AgentName): Promise<Result<null>> {
  // First, so that it holds whatever becomes of holdfastd meanwhile.
  ports.startIsOver(name);
  ports.lastStop.set(name, by);
  const known = ports.runs.stopping(name);
  const state = await ports.units.unitState(agentUnit(name));
  const stopped = await ports.units.stopUnit(agentUnit(name));
  if (!stopped.ok) {
    ports.runs.notStopped(name);
    return stopped;
  }
  if (!known && state.ok && (state.value.active === 'inactive' || state.value.active === 'failed')) return accept(null);
  const reason = { user: 'operator', agent: 'agent', system: 'not confined' }[by.type];
  const recorded = await ports.record(draftOf(by, 'agent.stopped', { agent: name, reason, result: null }));
  return recorded.ok ? accept(null) : refuse(`${name} is stopped, but that cannot be recorded: ${recorded.error}`);
}

function draftOf(actor: Actor, kind: EntryDraft['kind'], data: JsonObject): EntryDraft {
  return { kind, actor, trace: null, span: null, data };
}
