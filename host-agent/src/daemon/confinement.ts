// SPDX-License-Identifier: Apache-2.0
import type { DeclaredAgent } from '../config/declared.ts';
import { stopProgram, type ProgramPorts } from '../door/agent-programs.ts';
import { agentUnit } from '../door/agent-units.ts';
import type { PostureFact } from '../door/operator-wire.ts';
import type { AppArmorPolicy } from '../effects/apparmor-policy.ts';
import { accept, type Result } from '../identity/result.ts';
import { profilesInLabel } from '../sandbox/label.ts';

type Labelled = Pick<DeclaredAgent, 'callLabel' | 'containerLabel' | 'peerLabels'>;

/** Every profile that a process of this agent may come under, asked of the kernel: with one that does not hold, none of it is served. */
export function confinementOf(policy: AppArmorPolicy, { callLabel, containerLabel, peerLabels }: Labelled): Result<null> {
  for (const profile of [callLabel, containerLabel ?? callLabel, peerLabels.agent, peerLabels.remote].flatMap(profilesInLabel)) {
    const enforced = policy.enforces(profile);
    if (!enforced.ok) return enforced;
  }
  return accept(null);
}

export function confinementFact(policy: AppArmorPolicy, agents: readonly DeclaredAgent[]): PostureFact {
  const name = 'agent profiles';
  const bad = agents.flatMap((agent) => {
    const confined = confinementOf(policy, agent);
    return confined.ok ? [] : [`${agent.name}: ${confined.error}`];
  });
  return bad.length === 0 ? { name, state: 'good', detail: `all of ${agents.length} agents enforce` } : { name, state: 'bad', detail: bad.join('; ') };
}

/** Stops programs that the kernel confines no more. `onLost` hears of each loss once. */
export function watchConfinement(policy: AppArmorPolicy, ports: ProgramPorts, onLost: (agent: DeclaredAgent, why: string) => void) {
  const lost = new Map<string, string>();
  return async (agents: readonly DeclaredAgent[]): Promise<void> => {
    for (const agent of agents) {
      const confined = confinementOf(policy, agent);
      const why = confined.ok ? '' : confined.error;
      if (why !== '' && lost.get(agent.name) !== why) onLost(agent, why);
      lost.set(agent.name, why);
      if (why === '' || agent.program === null) continue;
      const state = await ports.units.unitState(agentUnit(agent.name));
      if (state.ok && (state.value.active === 'active' || state.value.active === 'activating')) await stopProgram(ports, { type: 'system', id: 'holdfastd' }, agent.name);
    }
  };
}
