// SPDX-License-Identifier: Apache-2.0
import { startProgram, stopProgram, type ProgramPorts, type StartPorts } from '../door/agent-programs.ts';
import { agentUnit } from '../door/agent-units.ts';
import { declaredAgent, type OperatorDoorPorts } from '../door/operator-ports.ts';
import type { SystemdManager, UnitState } from '../effects/systemd-manager.ts';
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject } from '../ledger/entry.ts';
import type { ChangerPort } from '../tool-call/ports.ts';
import type { Change } from '../tools/tool.ts';
import type { Watches } from './watches.ts';

type ServiceChange = Extract<Change, { readonly what: 'service' }>;
type AgentChange = Extract<Change, { readonly what: 'agent' }>;
type Systemd = Pick<SystemdManager, 'startUnit' | 'stopUnit' | 'restartUnit' | 'unitState'>;
type AgentPorts = ProgramPorts & StartPorts & Pick<OperatorDoorPorts, 'declared'>;

/** What the tools with `runs: change` do: shapes of the answers are those of their `seen…` schemas. */
export function hostChanger(systemd: Systemd, agents: AgentPorts, watches: Pick<Watches, 'change'>): ChangerPort {
  return {
    change: async ({ agent }, change) => {
      switch (change.what) {
        case 'service':
          return changeService(change, systemd);
        case 'agent':
          return changeAgent(agent, change, agents);
        case 'watch':
          return watches.change(agent, change);
      }
    },
  };
}

/** polkit, too, lets holdfastd ask only for the units and verbs that the image's types name (50-holdfast.rules beside it). */
async function changeService({ verb, unit }: ServiceChange, systemd: Systemd): Promise<Result<JsonObject>> {
  const before = await systemd.unitState(unit);
  if (!before.ok) return before;
  if (before.value.load !== 'loaded') return refuse(`cannot ${verb} ${unit}: systemd knows it as ${before.value.load}`);
  const done = await systemd[`${verb}Unit`](unit);
  if (!done.ok) return done;
  const after = await systemd.unitState(unit);
  return after.ok ? accept({ unit, before: stateOf(before.value), after: stateOf(after.value) }) : after;
}

function stateOf({ active, sub }: UnitState): JsonObject {
  return { active, sub };
}

async function changeAgent(by: AgentName, { verb, agent: text }: AgentChange, ports: AgentPorts): Promise<Result<JsonObject>> {
  const agent = declaredAgent(ports, text);
  if (!agent.ok) return agent;
  const { name, program } = agent.value;
  if (program === null) return refuse(`${name} has no program of its own to ${verb}`);
  const before = await ports.units.unitState(agentUnit(name));
  if (!before.ok) return before;
  const actor = { type: 'agent', id: by } as const;
  if (verb === 'start' && before.value.active !== 'active') {
    // Else a grant to start would be a word against whoever stopped it: a person, or another agent.
    const last = ports.lastStop.get(name);
    if (last?.type !== 'agent' || last.id !== by) return refuse(`cannot start ${name}: it was not ${by} that stopped it last`);
  }
  const done = await (verb === 'start' ? startProgram : stopProgram)(ports, actor, name);
  if (!done.ok) return done;
  const after = await ports.units.unitState(agentUnit(name));
  return after.ok ? accept({ agent: name, before: before.value.active, after: after.value.active }) : after;
}
