// SPDX-License-Identifier: Apache-2.0
import { parseAgentName, type AgentName } from '../identity/ids.ts';

export function agentUnit(agent: AgentName): string {
  return `holdfast-agent@${agent}.service`;
}

/** Null for the unit of anything else. */
export function agentOfUnit(unit: string): AgentName | null {
  const name = /^holdfast-agent@(.*)\.service$/.exec(unit)?.[1];
  const agent = name === undefined ? null : parseAgentName(name);
  return agent?.ok === true ? agent.value : null;
}

/** The runner of the agent's containers. */
export function containersUnit(agent: AgentName): string {
  return `holdfast-containers@${agent}.service`;
}

export function runnerUnit(agent: AgentName): string {
  return `holdfast-runner@${agent}.service`;
}

/** Between the agent's network namespace and holdfast-egress. */
export function relayUnit(agent: AgentName): string {
  return `holdfast-relay@${agent}.service`;
}
