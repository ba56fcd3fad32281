// SPDX-License-Identifier: Apache-2.0
import type { Capability } from '../capability/capability.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { isBeneath, parentOf, WORKSPACE, whyNotBindable } from './bindable.ts';
import { callEnvironment } from './environment.ts';
import type { Binding, CallLimits, SandboxPlan } from './permit.ts';

/** A runner refuses more, and a call that needs more is not the narrow thing a capability names. */
export const MAX_BINDINGS = 64;

export type CallToPlan = {
  /**
   * kind `file`: argv is `file-tool OP PATH OPTION…` with the absolute PATH that was judged; the plan adds the directory beneath
   * which it must lie. kind `process`: argv is what is executed. `env` is what the caller chose.
   */
  readonly command: Pick<SandboxPlan, 'kind' | 'argv' | 'cwd' | 'env'>;
  /** What the agent holds now: patterns. */
  readonly held: readonly Capability[];
  /** What this call needs, each already judged to be held: resources are names, a star is a star. */
  readonly needs: readonly (Capability & { readonly tree?: string })[];
  readonly limits: CallLimits;
  /** What the caller asked for; it can only shorten the limit. */
  readonly timeoutMs: number | null;
};

/** The sandbox of one call: only what its capabilities name is visible, only what they let write is writable (R15, R40). */
export function planCall(call: CallToPlan): Result<SandboxPlan> {
  const limits = { ...call.limits, timeoutMs: Math.min(call.limits.timeoutMs, call.timeoutMs ?? call.limits.timeoutMs) };
  return call.command.kind === 'file' ? planFileCall(call, limits) : planProcessCall(call, limits);
}

function planFileCall({ command, held, needs }: CallToPlan, limits: CallLimits): Result<SandboxPlan> {
  const [program, op, path, ...options] = command.argv;
  if (program !== 'file-tool' || op === undefined || path === undefined) {
    return refuse('cannot plan a file call without operation and path');
  }
  const wanted: Binding[] = [];
  for (const need of needs) {
    const access = accessOf(need);
    // A tree is needed beside the path that it lies below, and is seen with it.
    if (access === null || need.resource === null || need.tree !== undefined) continue;
    const shown = narrowest(need.resource, need.action, held);
    const why = whyNotBindable(shown);
    if (why !== null) return refuse(`cannot make ${need.resource} visible in a call: ${why}`);
    wanted.push({ path: shown, access });
  }
  const bindings = merge(wanted);
  const binding = bindings.findLast((b) => isBeneath(path, b.path));
  if (binding === undefined) return refuse(`cannot plan a file call on ${path}: no capability it needs names that path`);
  // The file tool resolves beneath a directory, and a path that is bound alone may be a file. Its parent in the sandbox is one
  // that bubblewrap made and that holds nothing else. The workspace is a directory for certain.
  const root = path === binding.path && path !== WORKSPACE ? parentOf(path) : binding.path;
  const beneath = path === root ? '.' : path.slice(root === '/' ? 1 : root.length + 1);
  return accept({ kind: 'file', argv: [program, root, op, beneath, ...options], cwd: '/', env: {}, bindings, limits });
}

/**
 * The workspace as a whole; else the deepest `DIR/**` held that covers the path, so that the file tool sees why a name below it
 * is missing; else the path alone for reading, its directory for writing (a new name is a change of the directory).
 */
function narrowest(path: string, action: string, held: readonly Capability[]): string {
  if (isBeneath(path, WORKSPACE)) return WORKSPACE;
  const dirs = held
    .filter((h) => h.namespace === 'fs' && h.action === action)
    .map((h) => treeOf(h.resource))
    .filter((dir) => dir !== null && path !== dir && isBeneath(path, dir) && whyNotBindable(dir) === null)
    .sort((a, b) => b!.length - a!.length);
  return dirs[0] ?? (action === 'read' ? path : parentOf(path));
}

/**
 * All that is held of the file system, since nobody knows which files a program will open. Held patterns of other shapes than
 * `PATH` and `DIR/**` cannot be mounted and stay usable through the file tools only.
 */
function planProcessCall({ command, held }: CallToPlan, limits: CallLimits): Result<SandboxPlan> {
  if (command.argv[0] === undefined || command.argv[0] === '') return refuse('cannot run a command without a name');
  const wanted: Binding[] = [];
  for (const h of held) {
    const access = accessOf(h);
    // A mount lets write all that it lets delete.
    if (h.action === 'delete') continue;
    const tree = treeOf(h.resource);
    const path = tree ?? literalOf(h.resource);
    if (access === null || path === null || whyNotBindable(path) !== null) continue;
    wanted.push({ path, access, is: tree === null ? 'file' : 'directory' });
  }
  const bindings = merge(wanted);
  if (bindings.length > MAX_BINDINGS) {
    return refuse(`cannot make ${bindings.length} paths visible in one call; ${MAX_BINDINGS} are the most`);
  }
  const home = bindings.some((b) => b.path === WORKSPACE && b.access === 'rw' && b.is !== 'file') ? WORKSPACE : '/tmp';
  const env = callEnvironment(command.env, home);
  if (!env.ok) return env;
  return accept({ kind: 'process', argv: command.argv, cwd: command.cwd, env: env.value, bindings, limits });
}

/** What a capability lets do with a path. Writing shows, too: a mount cannot be written without being seen. */
function accessOf({ namespace, action }: Capability): Binding['access'] | null {
  if (namespace !== 'fs') return null;
  if (action === 'read') return 'ro';
  return action === 'write' || action === 'delete' ? 'rw' : null;
}

/** DIR of the pattern `DIR/**`. */
function treeOf(resource: string | null): string | null {
  if (resource === null || !resource.endsWith('/**')) return null;
  const dir = resource.slice(0, -'/**'.length);
  return dir.includes('*') ? null : dir || '/';
}

function literalOf(resource: string | null): string | null {
  return resource === null || resource.includes('*') ? null : resource;
}

/**
 * Parents before what lies in them, one binding a path, the wider access of two, and none that adds nothing to its parent.
 *
 * Within a workspace that is bound for reading nothing is bound for writing: the place of the inner mount would lie where another
 * call of the agent may write, and a link put there between opening and mounting would choose what is mounted over (A10).
 */
function merge(wanted: readonly Binding[]): readonly Binding[] {
  const kept: Binding[] = [];
  for (const b of [...wanted].sort(byPathThenWriting)) {
    const parent = kept.findLast((k) => (k.is === 'file' ? k.path === b.path && b.is === 'file' : isBeneath(b.path, k.path)));
    if (parent === undefined || (parent.access === 'ro' && b.access === 'rw' && !isBeneath(b.path, WORKSPACE))) kept.push(b);
  }
  return kept;
}

function byPathThenWriting(a: Binding, b: Binding): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1;
  return a.access === b.access ? 0 : a.access === 'rw' ? -1 : 1;
}
