// SPDX-License-Identifier: Apache-2.0
import { heldFrom, type GrantBook } from '../capability/grant.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName } from '../identity/ids.ts';
import { callableTools } from '../tool-call/callable-tools.ts';
import type { Tool } from '../tools/tool.ts';

/** Finds the agents whose tools/list a grant, or the end of one, has changed. */
export type ToolLists = { readonly look: (agents: Iterable<AgentAuthority>, book: GrantBook) => void };

export function watchToolLists(tools: ReadonlyMap<string, Tool>, changed: (agent: AgentName) => void): ToolLists {
  const known = new Map<AgentName, readonly Tool[]>();
  return {
    look: (agents, book) => {
      for (const authority of agents) {
        const before = known.get(authority.name);
        const now = callableTools(tools, authority, book.agents.get(authority.name) ?? heldFrom([]));
        known.set(authority.name, now);
        const same = before === undefined || (before.length === now.length && now.every((tool, i) => tool === before[i]));
        if (!same) changed(authority.name);
      }
    },
  };
}
