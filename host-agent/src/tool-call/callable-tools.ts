// SPDX-License-Identifier: Apache-2.0
import { splitCapability } from '../capability/capability-text.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { Tool } from '../tools/tool.ts';

/**
 * What tools/list shows: tools whose every act the agent's type can hold at all, now or by a grant. A hint for the agent and
 * no decision: each call is judged on its own, also of a tool that is not shown.
 */
export function callableTools(tools: ReadonlyMap<string, Tool>, authority: AgentAuthority): readonly Tool[] {
  const acts = new Set(authority.ceiling.allow.map(({ namespace, action }) => `${namespace}:${action}`));
  return [...tools.values()].filter((tool) =>
    tool.needs.every((template) => {
      const parts = splitCapability(template);
      return parts.ok && acts.has(`${parts.value.namespace}:${parts.value.action}`);
    }),
  );
}
