// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { DeclaredAgent } from '../config/declared.ts';
import { serveAgentDoor, type AgentDoor, type DoorHandlers } from './agent-door.ts';

export type AgentDoors = {
  /** One door per agent named here: new ones are opened, those of agents that are gone or changed are closed with their sessions. */
  readonly update: (agents: readonly DeclaredAgent[]) => Promise<void>;
  readonly of: (name: string) => AgentDoor | null;
  readonly close: () => Promise<void>;
};

type Served = { readonly declared: string; readonly door: AgentDoor };

/** `version` is what clients are told. `onFault`: this agent's door could not be opened; the other agents keep theirs. */
export function openAgentDoors(
  dir: string,
  version: string,
  handlersOf: (agent: DeclaredAgent) => DoorHandlers,
  onFault: (agent: DeclaredAgent, error: unknown) => void,
): AgentDoors {
  const served = new Map<string, Served>();
  let last: Promise<void> = Promise.resolve();

  async function apply(agents: readonly DeclaredAgent[]): Promise<void> {
    const wanted = new Map(agents.map((agent) => [agent.name as string, agent]));
    for (const [name, { declared, door }] of served) {
      const agent = wanted.get(name);
      if (agent !== undefined && JSON.stringify(agent) === declared) continue;
      served.delete(name);
      void door.close();
    }
    for (const [name, agent] of wanted) {
      if (served.has(name)) continue;
      try {
        const door = await serveAgentDoor(agent, join(dir, name), handlersOf(agent), version);
        served.set(name, { declared: JSON.stringify(agent), door });
      } catch (error) {
        onFault(agent, error);
      }
    }
  }

  return {
    // One after the other: two updates at once could each open the same door.
    update: (agents) => (last = last.then(() => apply(agents))),
    of: (name) => served.get(name)?.door ?? null,
    close: async () => {
      const closing = [...served.values()].map(({ door }) => door.close());
      served.clear();
      await Promise.all(closing);
    },
  };
}
