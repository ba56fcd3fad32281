// SPDX-License-Identifier: Apache-2.0
import type { AgentName, CallId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

/** Who may change an agent's files now: any number of its calls, or one undo. What is put in, and the start of a contained program, count as undos. */
export type WorkspaceTurns = {
  /** Waits while an undo is under way; the answer lets go. */
  readonly begin: (agent: AgentName, call: CallId) => Promise<() => void>;
  /** For an undo. Refused while another is under way and, unless forced, while calls that may write are; the answer lets go. */
  readonly take: (agent: AgentName, force: boolean) => Result<() => void>;
};

export function workspaceTurns(): WorkspaceTurns {
  const writing = new Map<AgentName, Set<CallId>>();
  const undoing = new Map<AgentName, Promise<void>>();
  return {
    begin: async (agent, call) => {
      while (undoing.has(agent)) await undoing.get(agent);
      const calls = writing.get(agent) ?? new Set();
      writing.set(agent, calls.add(call));
      return () => {
        calls.delete(call);
        if (calls.size === 0 && writing.get(agent) === calls) writing.delete(agent);
      };
    },
    take: (agent, force) => {
      if (undoing.has(agent)) return refuse(`another undo, or a start, of ${agent} is under way; try again when it has ended`);
      const calls = [...(writing.get(agent) ?? [])];
      if (calls.length > 0 && !force) {
        return refuse(`${agent} is writing now (${calls.length} calls, among them ${calls[0]}): wait for their end, stop the agent, or use --force`);
      }
      let over = (): void => undefined;
      undoing.set(agent, new Promise((resolve) => (over = resolve)));
      return accept(() => {
        undoing.delete(agent);
        over();
      });
    },
  };
}
