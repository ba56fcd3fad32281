// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { shown } from './file-call.ts';
import { readSeen } from './seen.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({});

export const seenProcesses = z.strictObject({
  processes: z.array(
    z.strictObject({
      pid: z.int(),
      /** Which part of the agent's slice it belongs to. */
      of: z.string(),
      command: z.string(),
      state: z.string(),
      cpu_ms: z.int(),
      rss_bytes: z.int(),
    }),
  ),
  /** How many more were seen. */
  missing: z.int(),
  /** Control groups that were not looked into, because there are too many or they lie too deep. */
  unread_groups: z.int(),
});

export const processList: Tool<z.infer<typeof input>> = {
  name: 'process.list',
  title: 'List your processes',
  description: `Lists the processes of your own slice (your program, your calls), with state, CPU time and memory.
Other agents' processes and the system's are not shown.
Takes no arguments. Needs the capability process:list.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['process:list'],
  action: () => ({ runs: 'observe', observation: { what: 'processes' } }),
  reply: (_args, result) => {
    const seen = readSeen('process.list', seenProcesses, result);
    const lines = seen.processes.map(
      ({ pid, of, command, state, cpu_ms, rss_bytes }) =>
        `${pid}\t${of}\t${state}\t${cpu_ms} ms\t${Math.round(rss_bytes / 1024)} KiB\t${shown(command)}`,
    );
    const head = `${seen.processes.length} processes: pid, part, state, CPU time, memory, command`;
    const more = seen.missing + seen.unread_groups > 0 ? [
      `and ${seen.missing} more; ${seen.unread_groups} control groups were not read`,
    ] : [];
    return { text: [head, ...lines, ...more].join('\n'), data: seen, isError: false };
  },
};
