// SPDX-License-Identifier: Apache-2.0
import type { Capability } from '../capability/capability.ts';
import { contains } from '../capability/contains.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { isBeneath, WORKSPACE } from './bindable.ts';
import { callEnvironment } from './environment.ts';
import { hideDenied, type Bounds } from './hide-denied.ts';
import type { Binding, CallLimits, SandboxPlan } from './permit.ts';

export type ContainerToPlan = {
  readonly command: Pick<SandboxPlan, 'argv' | 'cwd' | 'env' | 'container'>;
  readonly held: readonly Capability[];
  readonly bounds: Bounds;
  readonly limits: CallLimits;
};

/** A container sees its image, and the workspace as far as all of it is held; no other path of the machine, whatever is held. */
export function planContainer({ command, held, bounds, limits }: ContainerToPlan): Result<SandboxPlan> {
  const { argv, cwd, container } = command;
  if (container === undefined) return refuse('cannot plan a container without image and name');
  const bindings = workspace(held, bounds);
  if (isBeneath(cwd, WORKSPACE) && bindings.length === 0) {
    return refuse(`cannot start a container in ${cwd}: it would have to see all of ${WORKSPACE}, and that is not held, or denied in part`);
  }
  const env = callEnvironment(command.env, bindings[0]?.access === 'rw' ? WORKSPACE : '/tmp');
  if (!env.ok) return env;
  return accept({ kind: 'container', container, root: 'tools', argv, cwd, env: env.value, bindings, hidden: [], limits });
}

/** All of it or nothing: a container cannot have parts of it hidden. */
function workspace(held: readonly Capability[], bounds: Bounds): readonly Binding[] {
  for (const [action, access] of [['write', 'rw'], ['read', 'ro']] as const) {
    const all = { namespace: 'fs', action, resource: `${WORKSPACE}/**` };
    const binding: Binding = { path: WORKSPACE, access, is: 'directory' };
    const hidden = hideDenied(binding, bounds, 'agent');
    if (hidden.ok && hidden.value.length === 0 && held.some((pattern) => contains(pattern, all))) return [binding];
  }
  return [];
}
