// SPDX-License-Identifier: Apache-2.0
import type { CallLimits } from '../sandbox/permit.ts';
import type { SliceLimits } from './agent-type.ts';

/** Bytes of memory, processors, and bytes of the file system that holds the workspaces. */
export type MachineSize = { readonly memory: number; readonly processors: number; readonly disk: number };

type Sized = { readonly slice: SliceLimits; readonly limits: CallLimits };

// agents.slice has 75 % of the memory. Were one agent given as much, filling it would end the processes of others.
const ONE_AGENTS_MEMORY = 0.5;
/** Kept from an agent's calls for its runner and its own program: a call that fills its memory must meet its own limit first (C02). */
const BESIDE_A_CALL = 256 * 1024 ** 2;
/** All agents' room on the disk together. The rest is the ledger's and the journal's. */
const ALL_AGENTS_DISK = 0.75;

// The rest is there for whoever comes next, without waiting for a turn.
const ONE_AGENTS_PROCESSORS = 0.75;

/** A type is written for any machine; on a small one its agents get less. */
export function fitShare<T extends Sized>(agent: T, machine: MachineSize): T {
  const whole = Math.min(agent.slice.memoryMax, Math.floor(machine.memory * ONE_AGENTS_MEMORY));
  // Half, where that is more: of an agent that was narrowed to less than what is kept.
  const call = Math.min(agent.limits.memoryMax, Math.max(whole - BESIDE_A_CALL, Math.floor(whole / 2)));
  const cpuPercent = Math.min(agent.slice.cpuPercent, machine.processors * 100 * ONE_AGENTS_PROCESSORS);
  return { ...agent, slice: { ...agent.slice, memoryMax: whole, cpuPercent }, limits: { ...agent.limits, memoryMax: call } };
}

/**
 * Room on the disk is never promised twice. Who asks for no more than an equal part gets it; what they leave is shared equally by the
 * others (max-min fairness): however much one asks for, no other gets less than its equal part.
 */
export function fitDisk<T extends Sized>(agents: readonly T[], machine: MachineSize): readonly T[] {
  let left = machine.disk * ALL_AGENTS_DISK;
  let waiting = agents.length;
  const room = new Map<T, number>();
  for (const agent of agents.toSorted((a, b) => a.slice.diskMax - b.slice.diskMax)) {
    const diskMax = Math.floor(Math.min(agent.slice.diskMax, left / waiting) / 4096) * 4096;
    room.set(agent, diskMax);
    left -= diskMax;
    waiting -= 1;
  }
  return agents.map((agent) => ({ ...agent, slice: { ...agent.slice, diskMax: room.get(agent)! } }));
}
