// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { connectRunner, type RunnerConnection } from '../effects/runner-client.ts';
import type { AgentName } from '../identity/ids.ts';
import type { SandboxPlan } from '../sandbox/permit.ts';
import type { ContainerPort, RunnerPort } from '../tool-call/ports.ts';

/** A connection to each runner that was ever needed. Closing one ends what still runs over it. */
export function openRunners(dir: string): RunnerPort & ContainerPort & { readonly close: () => void } {
  const known = new Map<string, RunnerConnection>();
  function connectionTo(socket: string): RunnerConnection {
    const connection = known.get(socket) ?? connectRunner(join(dir, socket));
    known.set(socket, connection);
    return connection;
  }
  const runnerOf = (agent: AgentName, kind: SandboxPlan['kind']): RunnerConnection =>
    connectionTo(kind === 'container' ? `${agent}.containers.sock` : `${agent}.sock`);
  return {
    run: ({ permit, receipt }, stdin, cancelled) => runnerOf(permit.agent, permit.plan.kind).run(permit, receipt, stdin, cancelled),
    act: ({ agent }, name, act) => runnerOf(agent, 'container').container(name, act),
    close: () => {
      for (const connection of known.values()) connection.close();
    },
  };
}
