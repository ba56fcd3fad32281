// SPDX-License-Identifier: Apache-2.0
import type { AgentAuthority } from '../gate/authority.ts';
import type { SessionId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Actor, JsonObject } from '../ledger/entry.ts';
import { WORKSPACE } from '../sandbox/bindable.ts';
import { runOwnCall } from '../tool-call/own-call.ts';
import { pointWork, readPoint } from '../tools/restore-calls.ts';
import { agentUnit } from './agent-units.ts';
import type { UnitsPort } from './operator-ports.ts';
import type { RestorePorts } from './operator-restore.ts';

const SELF: Actor = { type: 'system', id: 'holdfastd' };

/** What the entry of its start says of it, and whoever starts it lets go when it runs or will not. */
export type KeptRun = { readonly data: JsonObject; readonly letGo: () => void };

export type KeepBeforeRunPorts = { readonly restore: RestorePorts; readonly units: Pick<UnitsPort, 'unitState'>; readonly newSessionId: () => SessionId };

/**
 * R108: a contained agent changes its workspace with its own hands from the start of its program to its end. That is a session, and its
 * restore point is made while nothing of it runs. A mediated agent's program cannot write: each of its calls that may has its own.
 */
export async function keepBeforeRun(agent: AgentAuthority, ports: KeepBeforeRunPorts): Promise<Result<KeptRun>> {
  if (agent.mode === 'mediated') return accept({ data: { id: agent.id, mode: agent.mode }, letGo: () => undefined });
  // Forced past calls from elsewhere that still write: their own points cover what they do. Held until it runs, so no undo begins meanwhile.
  const turn = ports.restore.take(agent.name, true);
  if (!turn.ok) return turn;
  const kept = await stillAndKept(agent, ports);
  if (!kept.ok) turn.value();
  return kept.ok ? accept({ data: kept.value, letGo: turn.value }) : kept;
}

async function stillAndKept(agent: AgentAuthority, { restore, units, newSessionId }: KeepBeforeRunPorts): Promise<Result<JsonObject>> {
  const still = await standsStill(agent, units);
  if (!still.ok) return still;
  const session = newSessionId();
  const point = { id: restore.newPointId(), of: WORKSPACE, call: session, session, tool: 'agent.start', at: restore.wallMs(), path: '.' };
  const about = { point: point.id, path: WORKSPACE, before: session };
  const doing = { id: restore.newCallId(), agent, actor: SELF, session, cancelled: new AbortController().signal };
  const ran = await runOwnCall({ ...doing, tool: 'restore.point', arguments: about, work: pointWork(point) }, restore.calls);
  const made = ran.ok ? readPoint(ran.value) : ran;
  return made.ok ? accept({ id: agent.id, mode: agent.mode, session, restore: [point.id] }) : refuse(`no restore point of its workspace could be made: ${made.error}`);
}

/** Nothing of a contained agent's program runs. What systemd does not know of may run. */
export async function standsStill({ name, mode }: Pick<AgentAuthority, 'name' | 'mode'>, units: Pick<UnitsPort, 'unitState'>): Promise<Result<null>> {
  if (mode === 'mediated') return accept(null);
  const state = await units.unitState(agentUnit(name));
  if (!state.ok) return refuse(`whether the program of ${name} runs cannot be told: ${state.error}`);
  const { active } = state.value;
  return active === 'inactive' || active === 'failed' ? accept(null) : refuse(`the program of ${name} is ${active} and changes files with its own hands`);
}
