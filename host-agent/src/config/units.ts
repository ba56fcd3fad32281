// SPDX-License-Identifier: Apache-2.0
import type { Profiles, SliceLimits } from './agent-type.ts';
import type { DeclaredAgent } from './declared.ts';
import { slotOfUid, userOfSlot } from './slots.ts';
import { execLine, plainPath, section } from './unit-syntax.ts';

/** One drop-in below /run/systemd/system. */
export type UnitFile = { readonly path: string; readonly text: string };

export type UnitFacts = {
  readonly agent: DeclaredAgent;
  readonly slice: SliceLimits;
  readonly profiles: Profiles;
  /** The folder of this agent's own door. */
  readonly door: string;
};

export const DROP_IN = '50-declared.conf';
const HEADER = '# Written by holdfast-declare; a change here is lost.\n';

export function packSlice(agent: Pick<DeclaredAgent, 'pack'>): string {
  return `agents-${agent.pack}.slice`;
}

export function agentSlice(agent: Pick<DeclaredAgent, 'pack' | 'name'>): string {
  return `agents-${agent.pack}-${agent.name}.slice`;
}

/** What differs per agent from the template units, and nothing else: a declaration chooses a type and narrows it. */
export function unitsOf({ agent, slice, profiles, door }: UnitFacts): readonly UnitFile[] {
  const user = userOfSlot(slotOfUid(agent.uid));
  const identity = [['User', user], ['Group', user], ['Slice', agentSlice(agent)]] as const;
  const workspace = `${plainPath(agent.workspace)}:/workspace`;
  const units: UnitFile[] = [
    dropIn(packSlice(agent), section('Unit', [['Description', `Holdfast agents of pack ${agent.pack}`]])),
    dropIn(agentSlice(agent), section('Unit', [['Description', `Holdfast agent ${agent.name}`]]) + section('Slice', [
      ['MemoryMax', String(slice.memoryMax)],
      ['MemorySwapMax', '0'],
      ['TasksMax', String(slice.tasksMax)],
      ['CPUQuota', `${slice.cpuPercent}%`],
    ])),
    dropIn(`holdfast-runner@${agent.name}.service`, section('Service', [
      ...identity,
      ['AppArmorProfile', profiles.runner],
      ['BindPaths', workspace],
    ])),
  ];
  // Without a program the template has nothing to start, and no drop-in makes it startable.
  if (agent.program !== null) {
    units.push(dropIn(`holdfast-agent@${agent.name}.service`, section('Service', [
      ...identity,
      ['AppArmorProfile', profiles.agent],
      // R103: a mediated agent sees its workspace read-only; its writes go through the door.
      ['BindReadOnlyPaths', workspace],
      // Connecting to a socket needs no writable mount. No other agent's door is in this namespace.
      ['BindReadOnlyPaths', plainPath(door)],
      ['ExecStart', ''],
      ['ExecStart', execLine(agent.program)],
    ])));
  }
  return units;
}

function dropIn(unit: string, text: string): UnitFile {
  return { path: `${unit}.d/${DROP_IN}`, text: HEADER + text };
}

const OURS = /^(?:holdfast-(?:agent|runner)@[a-z][a-z0-9_]{0,30}\.service|agents(?:-[a-z][a-z0-9_]{0,30}){1,2}\.slice)\.d$/;

/** Whether a folder below /run/systemd/system is one that this file names: only those are ever removed. */
export function isDropInFolder(name: string): boolean {
  return OURS.test(name);
}

/** The agent whose service a drop-in folder belongs to, or null for a slice's. */
export function agentOfFolder(name: string): string | null {
  return /^holdfast-(?:agent|runner)@([a-z][a-z0-9_]{0,30})\.service\.d$/.exec(name)?.[1] ?? null;
}
