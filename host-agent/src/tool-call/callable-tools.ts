// SPDX-License-Identifier: Apache-2.0
import { splitCapability } from '../capability/capability-text.ts';
import { contains } from '../capability/contains.ts';
import type { Capability } from '../capability/capability.ts';
import type { HeldGrants } from '../capability/grant.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { Tool } from '../tools/tool.ts';

const ASK_FIRST = 'You hold nothing for this tool now: ask with authority.request for what a refusal names.';

/**
 * What tools/list shows: the tools whose every act the agent holds something of now, or could be granted inside its type's ceiling.
 * Those of the second kind say so, else an agent would never know what to ask for. A hint and no decision: each call is judged on
 * its own, also of a tool that is not shown.
 */
export function callableTools(tools: ReadonlyMap<string, Tool>, authority: AgentAuthority, grants: HeldGrants): readonly Tool[] {
  const { allow, deny } = authority.ceiling;
  const possible = actsOf(allow.filter((pattern) => !deny.some((denial) => contains(denial, pattern))));
  const held = actsOf([...authority.defaults, ...grants.grants.map((grant) => grant.capability)]);
  const opener = (tool: Tool): Tool => (tool.follows === undefined ? tool : (tools.get(tool.follows) ?? tool));
  const shown = [...tools.values()].filter((tool) => reaches(possible, opener(tool)));
  return shown.map((tool) => (reaches(held, opener(tool)) ? tool : askingFirst(tool)));
}

type Acts = ReadonlySet<string>;

function actsOf(capabilities: readonly Capability[]): Acts {
  return new Set(capabilities.map(({ namespace, action }) => `${namespace}:${action}`));
}

function reaches(acts: Acts, tool: Tool): boolean {
  return tool.needs.every((template) => {
    const parts = splitCapability(template);
    return parts.ok && acts.has(`${parts.value.namespace}:${parts.value.action}`);
  });
}

const asking = new WeakMap<Tool, Tool>();

/** Always the same object for a tool, so that two lists can be compared. */
function askingFirst(tool: Tool): Tool {
  const made = asking.get(tool) ?? { ...tool, description: `${tool.description}\n${ASK_FIRST}` };
  asking.set(tool, made);
  return made;
}
