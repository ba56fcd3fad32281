// SPDX-License-Identifier: Apache-2.0
import { heldFrom, type GrantBook } from '../capability/grant.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName } from '../identity/ids.ts';
import { authorityGuide } from '../tool-call/authority-guide.ts';
import { callableTools } from '../tool-call/callable-tools.ts';
import type { ToolCallPorts } from '../tool-call/ports.ts';

/** Keeps each agent's AGENTS.md at what it holds. What is bound to one session is told to that session only. */
export type Guides = { readonly look: (agents: Iterable<AgentAuthority>, book: GrantBook) => void };

export function keepGuides({ tools, clock }: Pick<ToolCallPorts, 'tools' | 'clock'>, write: (agent: AgentName, text: string) => void): Guides {
  const written = new Map<AgentName, { readonly authority: AgentAuthority; readonly grants: string }>();
  return {
    look: (agents, book) => {
      for (const authority of agents) {
        const held = (book.agents.get(authority.name)?.grants ?? []).filter((grant) => grant.session === null);
        const grants = held.map(({ id, usesLeft }) => `${id} ${usesLeft}`).join();
        const before = written.get(authority.name);
        if (before?.authority === authority && before.grants === grants) continue;
        written.set(authority.name, { authority, grants });
        write(authority.name, authorityGuide(authority, heldFrom(held), callableTools(tools, authority, heldFrom(held)), clock));
      }
    },
  };
}
