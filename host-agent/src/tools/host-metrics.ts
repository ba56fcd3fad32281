// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { readSeen } from './seen.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({});

/** Loads and shares are in thousandths, since a recorded number is an integer. */
export const seenMetrics = z.strictObject({
  cpus: z.int(),
  load_milli: z.strictObject({ one: z.int(), five: z.int(), fifteen: z.int() }),
  /** Time the CPUs were busy since boot, all together. */
  cpu_busy_ms: z.int(),
  cpu_idle_ms: z.int(),
  memory: z.strictObject({ total_bytes: z.int(), available_bytes: z.int(), swap_total_bytes: z.int(), swap_free_bytes: z.int() }),
  uptime_ms: z.int(),
  var: z.strictObject({ total_bytes: z.int(), available_bytes: z.int(), files_total: z.int(), files_free: z.int() }),
});

export const hostMetrics: Tool<z.infer<typeof input>> = {
  name: 'host.metrics',
  title: 'Measure the machine',
  description: `Tells the machine's load, CPU count and time, memory, uptime and the space left on /var, read once now.
Takes no arguments. Needs the capability host:metrics.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['host:metrics'],
  action: () => ({ runs: 'observe', observation: { what: 'metrics' } }),
  reply: (_args, result) => {
    const seen = readSeen('host.metrics', seenMetrics, result);
    const { one, five, fifteen } = seen.load_milli;
    const text = [
      `load ${milli(one)} ${milli(five)} ${milli(fifteen)} on ${seen.cpus} CPUs`,
      `memory ${mib(seen.memory.available_bytes)} of ${mib(seen.memory.total_bytes)} MiB available`,
      `/var ${mib(seen.var.available_bytes)} of ${mib(seen.var.total_bytes)} MiB available`,
      `up ${Math.floor(seen.uptime_ms / 1000)} s`,
    ].join('\n');
    return { text, data: seen, isError: false };
  },
};

function milli(value: number): string {
  return (value / 1000).toFixed(2);
}

function mib(bytes: number): number {
  return Math.floor(bytes / 1_048_576);
}
