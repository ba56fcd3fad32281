// SPDX-License-Identifier: Apache-2.0
import type { DeclaredAgent } from '../../config/declared.ts';
import { boundedArguments, digestOf, takeArguments } from '../../tool-call/arguments.ts';
import { fsRead } from '../../tools/fs-read.ts';
import { serveAgentDoor } from '../agent-door.ts';

// Doors in a process of its own, so that its heap can be made small: AGENT DIR, as JSON pairs. A call takes what judging and
// recording take of its arguments, and as long as a ledger that is slow.

const LEDGER_MS = 500;

const doors = JSON.parse(process.argv[2] ?? '') as readonly (readonly [DeclaredAgent, string])[];
for (const [agent, dir] of doors) {
  await serveAgentDoor(agent, dir, {
    confined: () => ({ ok: true, value: null }),
    onRefused: () => {},
    open: () => ({
      instructions: () => '',
      listTools: () => [fsRead],
      call: async (_tool, args) => {
        const taken = takeArguments(args);
        const kept = taken.ok ? [digestOf(taken.value), boundedArguments(taken.value)] : [];
        await new Promise((resolve) => setTimeout(resolve, LEDGER_MS));
        return { text: `${kept.length}`, data: {}, isError: false };
      },
      onClient: () => {},
      onViolation: () => {},
      onFault: (fault) => {
        throw fault;
      },
      onClosed: () => {},
    }),
  }, '0');
}
process.send?.('listening');
