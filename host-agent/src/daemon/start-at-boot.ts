// SPDX-License-Identifier: Apache-2.0
import type { DeclaredAgent } from '../config/declared.ts';
import { startUnit, type StartPorts } from '../door/agent-programs.ts';
import { agentUnit } from '../door/agent-units.ts';
import type { UnitsPort } from '../door/operator-ports.ts';
import type { BootStarts } from '../effects/boot-starts.ts';
import type { AgentName } from '../identity/ids.ts';
import type { JsonObject } from '../ledger/entry.ts';
import type { AgentRuns } from './agent-runs.ts';

export type StartAtBootPorts = Pick<StartPorts, 'confined' | 'keepBeforeRun'> & {
  readonly units: UnitsPort;
  readonly runs: Pick<AgentRuns, 'starting' | 'started' | 'notStarted' | 'refused' | 'seen'>;
  readonly starts: BootStarts;
  /** `facts`: what was kept before. */
  readonly onStarted: (agent: AgentName, facts: JsonObject) => void;
  readonly onRefused: (agent: AgentName, why: string) => void;
  /** How long one start may keep the next waiting. */
  readonly patience: () => Promise<unknown>;
  /** How many at the same time: a restore point is work for the disk. */
  readonly atOnce: number;
};

/**
 * Starts each agent with `start: boot` once a boot, though holdfastd may start many times: an agent that a person stopped, or that came
 * to its end, stays so. The mark follows the start, so that a holdfastd that died in between leaves none; the next one finds the program
 * running, or starts it. A start that was refused is tried again by the next holdfastd. An agent declared later starts with the next
 * holdfastd, in this boot or another, unless a person was faster. A start waits for its agent's runner, which may be hostile: it holds up
 * nobody else for long.
 */
export async function startAtBoot(agents: readonly DeclaredAgent[], ports: StartAtBootPorts): Promise<void> {
  const waiting = agents.values();
  const begun: Promise<void>[] = [];
  const inTurn = async (): Promise<void> => {
    for (const agent of waiting) {
      const start = startOnce(agent, ports).catch((fault: unknown) => ports.onRefused(agent.name, String(fault)));
      begun.push(start);
      await Promise.race([start, ports.patience()]);
    }
  };
  await Promise.all(Array.from({ length: ports.atOnce }, inTurn));
  await Promise.all(begun);
}

async function startOnce({ name, start, program }: DeclaredAgent, ports: StartAtBootPorts): Promise<void> {
  const { units, runs, starts } = ports;
  if (start !== 'boot' || program === null || starts.isOver(name)) return;
  const state = await units.unitState(agentUnit(name));
  if (starts.isOver(name)) return;
  if (state.ok && state.value.active === 'active') {
    starts.over(name);
    // Started by a holdfastd that died before it could say so; nothing for one that is known to run.
    return runs.seen(name, { active: 'active', job: false, result: null });
  }
  const started = await startUnit(ports, name);
  if (!started.ok) return ports.onRefused(name, started.error);
  starts.over(name);
  ports.onStarted(name, started.value);
  runs.started(name);
}
