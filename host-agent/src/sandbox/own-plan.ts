// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { IMAGES, isBeneath, RESTORE, TRANSFER, WORKSPACE } from './bindable.ts';
import type { Bounds } from './hide-denied.ts';
import type { Root } from './image-paths.ts';
import type { Binding, CallLimits, SandboxPlan } from './permit.ts';
import { planCall } from './plan-call.ts';

// Calls of Holdfast itself, or of an operator, on an agent's files: only a sandbox of the agent's uid ever opens those (R109).

const OWN_TOOL = /^(?:image|restore|project)\.[a-z]+$/;

export const OWN_LIMITS: CallLimits = { timeoutMs: 120_000, memoryMax: 1024 ** 3, tasksMax: 16, outputMax: 384 * 1024 };

/** The places that calls of these names may see and no other call may, and only with the file tool. No tool of an agent is named so. */
export function isOwnPlace(tool: string, kind: SandboxPlan['kind'], path: string): boolean {
  return kind === 'file' && OWN_TOOL.test(tool) && [RESTORE, TRANSFER, IMAGES].includes(path);
}

/** A program that is run for such a call meets what an agent left: it sees of the machine's files what lies in the workspace, and nothing that was granted. */
export function seesTooMuch(tool: string, kind: SandboxPlan['kind'], path: string): boolean {
  return kind !== 'file' && OWN_TOOL.test(tool) && !isBeneath(path, WORKSPACE);
}

/** Where the image keeps its own content of a directory of /etc that a mount hides. */
export function imageOf(directory: string): string {
  return directory.replace(/^\/etc\//, '/usr/share/holdfast-etc/');
}

export type OwnWork = {
  readonly op: string;
  /** Directory that the operation is about, as calls see it, and a path relative to it; `.` for all. */
  readonly root: string;
  readonly path: string;
  readonly options: readonly string[];
  readonly bindings: readonly Binding[];
};

export function planOwnCall({ op, root, path, options, bindings }: OwnWork): SandboxPlan {
  return { kind: 'file', root: 'image', argv: ['file-tool', root, op, path, ...options], cwd: '/', env: {}, bindings, hidden: [], limits: OWN_LIMITS };
}

/** A program of the tool root, run on one directory of the workspace. */
export type OwnProgram = {
  readonly argv: readonly string[];
  /** It starts there, and sees no more of the workspace. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
};

/** The sandbox, the limits and the denials of a call of that agent's, and of what the agent holds nothing. */
export function planOwnProgram({ argv, directory, env }: OwnProgram, agent: { readonly ceiling: Bounds; readonly root: Root; readonly limits: CallLimits }): Result<SandboxPlan> {
  const held = [{ namespace: 'fs', action: 'write', resource: `${directory}/**` }];
  const command = { kind: 'process', argv, cwd: directory, env: {} } as const;
  const planned = planCall({ command, held, needs: [], bounds: agent.ceiling, root: agent.root, limits: agent.limits, timeoutMs: null });
  if (!planned.ok) return planned;
  const [binding] = planned.value.bindings;
  // A star in its name, or a part of it that the ceiling denies.
  if (binding?.path !== directory || binding.access !== 'rw') return refuse(`${directory} cannot be shown to a program as a whole`);
  return accept({ ...planned.value, env: { ...planned.value.env, ...env } });
}
