// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { connectRunner, type RunnerConnection } from '../effects/runner-client.ts';
import type { AgentName } from '../identity/ids.ts';
import type { RunnerPort } from '../tool-call/ports.ts';

/** A connection to each runner that was ever needed. Closing one ends what still runs over it. */
export function openRunners(dir: string): RunnerPort & { readonly close: () => void } {
  const known = new Map<AgentName, RunnerConnection>();
  function runnerOf(agent: AgentName): RunnerConnection {
    const connection = known.get(agent) ?? connectRunner(join(dir, `${agent}.sock`));
    known.set(agent, connection);
    return connection;
  }
  return {
    run: ({ permit, receipt }, stdin, cancelled) => runnerOf(permit.agent).run(permit, receipt, stdin, cancelled),
    close: () => {
      for (const connection of known.values()) connection.close();
    },
  };
}
