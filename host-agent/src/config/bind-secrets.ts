// SPDX-License-Identifier: Apache-2.0
import type { HostRule } from '../egress/host-rule.ts';
import type { SecretBinding } from '../secret/binding.ts';
import { inspected } from './agent-net.ts';
import type { CapabilityJudge } from './agent-type.ts';
import type { DeclaredAgent } from './declared.ts';

/**
 * What operators bound to this agent (R44): the secrets, the capabilities to use them and to reach their hosts, and the reading of what
 * goes there. Only as far as the type's ceiling; a binding beyond it is told and left out, and the rest stands.
 */
export function bindSecrets(
  agent: DeclaredAgent,
  bindings: readonly SecretBinding[],
  judge: CapabilityJudge,
): { readonly agent: DeclaredAgent; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const secrets: SecretBinding[] = [];
  const held = new Set(agent.capabilities);
  for (const binding of bindings.filter(({ agents }) => agents.includes(agent.name))) {
    const use = judge.within(agent.ceiling, `secret:use:${binding.name}`);
    if (!use.ok) {
      problems.push(`secret ${binding.name} is bound to agent ${agent.name}, whose type ${agent.type} may not use it: ${use.error}`);
      continue;
    }
    const hosts = binding.hosts.filter(({ host, port }) => {
      const connect = judge.within(agent.ceiling, `net:connect:${host}:${port}`);
      if (!connect.ok) problems.push(`secret ${binding.name} is bound to agent ${agent.name} and ${host}:${port}, where its type ${agent.type} may not connect: ${connect.error}`);
      else held.add(connect.value);
      return connect.ok;
    });
    if (hosts.length === 0) continue;
    held.add(use.value);
    // Of the others that a binding names, an agent is told nothing.
    secrets.push({ ...binding, agents: [agent.name], hosts });
  }
  if (secrets.length === 0 || agent.net === null) return { agent, problems };
  const names = new Set(secrets.flatMap(({ hosts }) => hosts.map(({ host }) => host)));
  const rules = agent.net.rules.map((rule): HostRule => (names.has(rule.host) ? { ...rule, mode: 'inspect' } : rule));
  const more = [...names].filter((name) => !rules.some(({ host }) => host === name)).map(inspected);
  return { agent: { ...agent, secrets, capabilities: [...held], net: { ...agent.net, rules: [...rules, ...more] } }, problems };
}
