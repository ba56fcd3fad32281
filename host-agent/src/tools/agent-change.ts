// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { parseAgentName } from '../identity/ids.ts';
import { textReadBy } from './arguments.ts';
import { readSeen } from './seen.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({ agent: textReadBy(z.string().max(31).describe('The name of another agent of this machine.'), parseAgentName) });

type Args = { readonly agent: string };

const seenAgent = z.strictObject({ agent: z.string(), before: z.string(), after: z.string() });

export const agentStop: Tool<Args> = tool('stop', 'Stop an agent', `Stops the program of another agent, as an operator's \`holdfast agent stop\` does;
its sessions from elsewhere and its grants stay. What the program held in memory is gone.
Undone by agent.start, as long as nobody else started or stopped it.`);

export const agentStart: Tool<Args> = tool('start', 'Start an agent that you stopped', `Takes back an agent.stop: starts the program of an agent that
agent.stop stopped, if nobody else started or stopped it since and holdfastd did not start anew. Nothing else can be started by it.`);

function tool(verb: 'start' | 'stop', title: string, description: string): Tool<Args> {
  const name = `agent.${verb}`;
  return {
    name,
    title,
    description: `${description}\nNeeds the capability agent:${verb}:NAME.`,
    input: input as z.ZodType<Args>,
    annotations: { readOnlyHint: false, destructiveHint: verb === 'stop', idempotentHint: true, openWorldHint: false },
    needs: [`agent:${verb}:{agent}`],
    action: ({ agent }) => ({ runs: 'change', change: { what: 'agent', verb, agent } }),
    reply: ({ agent }, result) => {
      const { before, after } = readSeen(name, seenAgent, result);
      const undo = before === after ? null : { tool: verb === 'stop' ? 'agent.start' : 'agent.stop', arguments: { agent } };
      const what = undo === null ? `${agent} was ${after} already; nothing was changed.` : `${agent} was ${before} and is ${after}. Undo: ${undo.tool} with the same name.`;
      return { text: what, data: { agent, before, after, changed: undo !== null, undo }, isError: false };
    },
  };
}
