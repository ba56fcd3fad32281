// SPDX-License-Identifier: Apache-2.0
import type { DeclaredAgent } from '../config/declared.ts';
import { agentUnit } from '../door/operator-agents.ts';
import type { UnitsPort } from '../door/operator-ports.ts';
import type { BootStarts } from '../effects/boot-starts.ts';
import type { AgentName } from '../identity/ids.ts';
import type { AgentRuns } from './agent-runs.ts';

export type StartAtBootPorts = {
  readonly units: UnitsPort;
  readonly runs: Pick<AgentRuns, 'starting' | 'started' | 'notStarted' | 'seen'>;
  readonly starts: BootStarts;
  readonly onStarted: (agent: AgentName) => void;
  readonly onRefused: (agent: AgentName, why: string) => void;
};

/**
 * Starts each agent with `start: boot` once a boot, though holdfastd may start many times: an agent that a person stopped, or that came
 * to its end, stays so. The mark follows the start, so that a holdfastd that died in between leaves none; the next one finds the program
 * running, or starts it. A start that was refused is tried again by the next holdfastd. An agent declared later starts with the next
 * holdfastd, in this boot or another, unless a person was faster.
 */
export async function startAtBoot(agents: readonly DeclaredAgent[], ports: StartAtBootPorts): Promise<void> {
  const { units, runs, starts } = ports;
  for (const { name, start, program } of agents) {
    if (start !== 'boot' || program === null || starts.isOver(name)) continue;
    const state = await units.unitState(agentUnit(name));
    if (starts.isOver(name)) continue;
    if (state.ok && state.value.active === 'active') {
      starts.over(name);
      // Started by a holdfastd that died before it could say so; nothing for one that is known to run.
      runs.seen(name, { active: 'active', job: false, result: null });
      continue;
    }
    runs.starting(name);
    const started = await units.startUnit(agentUnit(name));
    if (!started.ok) {
      runs.notStarted(name);
      ports.onRefused(name, started.error);
      continue;
    }
    starts.over(name);
    ports.onStarted(name);
    runs.started(name);
  }
}
