// SPDX-License-Identifier: Apache-2.0
import { parseCapability } from '../capability/capability.ts';
import type { AgentType } from './agent-type.ts';

const VERBS = ['start', 'stop', 'restart'];
const SERVICE = /^[a-z][a-z0-9_-]{0,60}\.service$/;
/** What the machine, the way in and the record stand on, and templates of others: no type may name them. */
const NEVER = /^(?:holdfast|hf-|systemd-|ssh|dbus|polkit|apparmor|agents|user|getty|serial-getty|emergency|rescue|init|udev|kmod|modprobe|nftables|audit)/;

/** `unit verb` of every service that an agent of any type could be granted to start, stop or restart: what a type's ceiling names. */
export function grantableServices(types: readonly Pick<AgentType, 'name' | 'ceiling'>[]): readonly string[] {
  const named = types.flatMap(({ name, ceiling }) => ceiling.allow.flatMap((text) => {
    const parsed = parseCapability(text);
    if (!parsed.ok || parsed.value.namespace !== 'service' || !VERBS.includes(parsed.value.action)) return [];
    const { action, resource } = parsed.value;
    if (resource === null || !SERVICE.test(resource)) throw new Error(`type ${name}: ${text} must name one service`);
    if (NEVER.test(resource)) throw new Error(`type ${name}: ${resource} is nothing for an agent to ${action}`);
    return [`${resource} ${action}`];
  }));
  return [...new Set(named)].sort();
}

/** Read by polkit before 50-holdfast.rules, which refuses holdfastd every other unit. */
export function serviceRules(types: readonly Pick<AgentType, 'name' | 'ceiling'>[]): string {
  return `// Made from the ceilings of the agent types when the image is built: the services that holdfastd may start, stop or restart.
polkit.addRule(function (action, subject) {
  if (subject.user !== 'holdfast' || action.id !== 'org.freedesktop.systemd1.manage-units') return polkit.Result.NOT_HANDLED;
  var asked = action.lookup('unit') + ' ' + action.lookup('verb');
  return ${JSON.stringify(grantableServices(types))}.indexOf(asked) === -1 ? polkit.Result.NOT_HANDLED : polkit.Result.YES;
});
`;
}
