// SPDX-License-Identifier: Apache-2.0
import type { Capability } from '../capability/capability.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { isBeneath, parentOf, WORKSPACE, whyNotBindable } from './bindable.ts';
import { callEnvironment } from './environment.ts';
import { secretVariables } from './secret-descriptors.ts';
import { byOtherNames, hideDenied, hideInImage, outermost, type Bounds } from './hide-denied.ts';
import { planContainer } from './plan-container.ts';
import type { Root } from './image-paths.ts';
import type { Binding, CallLimits, SandboxPlan } from './permit.ts';

/** A runner refuses more, and a call that needs more is not the narrow thing a capability names. */
export const MAX_BINDINGS = 64;

export type CallToPlan = {
  /**
   * kind `file`: argv is `file-tool OP PATH OPTION…` with the absolute PATH that was judged; the plan adds the directory beneath
   * which it must lie. kind `process`: argv is what is executed. `env` is what the caller chose.
   */
  readonly command: Pick<SandboxPlan, 'kind' | 'argv' | 'cwd' | 'env' | 'container' | 'terminal' | 'secrets'>;
  /** What the agent holds now: patterns. */
  readonly held: readonly Capability[];
  /** What this call needs, each already judged to be held: resources are names, a star is a star. */
  readonly needs: readonly (Capability & { readonly tree?: string })[];
  /** The type's ceiling: what it denies is in no call's sight, whatever is held. */
  readonly bounds: Bounds;
  /** Whose /usr the type's calls see. */
  readonly root: Root;
  readonly limits: CallLimits;
  /** What the caller asked for; it can only shorten the limit. */
  readonly timeoutMs: number | null;
};

/** The sandbox of one call: only what its capabilities name is visible, only what they let write is writable (R15, R40). */
export function planCall(call: CallToPlan): Result<SandboxPlan> {
  const limits = { ...call.limits, timeoutMs: Math.min(call.limits.timeoutMs, call.timeoutMs ?? call.limits.timeoutMs) };
  switch (call.command.kind) {
    case 'file':
      return planFileCall(call, limits);
    case 'process':
      return planProcessCall(call, limits);
    case 'container':
      return planContainer({ ...call, limits });
  }
}

function planFileCall({ command, held, needs, bounds, root: usr }: CallToPlan, limits: CallLimits): Result<SandboxPlan> {
  const [program, op, path, ...options] = command.argv;
  if (program !== 'file-tool' || op === undefined || path === undefined) {
    return refuse('cannot plan a file call without operation and path');
  }
  // On one path the file tool acts on nothing else, wherever a mount may have come to lie. On a tree it acts on all it finds.
  const whoMoves = needs.some((need) => need.tree !== undefined) ? 'agent' : 'nobody';
  const wanted: Binding[] = [];
  const hidden: string[] = [];
  for (const need of needs) {
    const access = accessOf(need);
    // A tree is needed beside the path that it lies below, and is seen with it.
    if (access === null || need.resource === null || need.tree !== undefined) continue;
    const shown = firstFitting(waysToShow(need.resource, need.action, held, op, whoMoves), need.resource, bounds, whoMoves);
    if (!shown.ok) return refuse(`cannot make ${need.resource} visible in a call: ${shown.error}`);
    wanted.push(shown.value.binding);
    hidden.push(...shown.value.hidden);
  }
  const bindings = merge(wanted);
  const binding = bindings.findLast((b) => isBeneath(path, b.path));
  if (binding === undefined) return refuse(`cannot plan a file call on ${path}: no capability it needs names that path`);
  // The file tool resolves beneath a directory, and a path that is bound alone may be a file. Its parent in the sandbox is one
  // that the launcher made and that holds nothing else. The workspace is a directory for certain.
  const root = path === binding.path && path !== WORKSPACE ? parentOf(path) : binding.path;
  const beneath = path === root ? '.' : path.slice(root === '/' ? 1 : root.length + 1);
  const argv = [program, root, op, beneath, ...options];
  return accept({ kind: 'file', root: usr, argv, cwd: '/', env: {}, bindings, hidden: outermost(hidden), limits });
}

type Shown = { readonly binding: Binding; readonly hidden: readonly string[] };

/** The first that shows the path and nothing that is denied; else why the last does not. */
function firstFitting(ways: readonly Binding[], path: string, bounds: Bounds, whoMoves: 'agent' | 'nobody'): Result<Shown> {
  let why = 'there is no way to show it';
  for (const binding of ways) {
    const bad = whyNotBindable(binding.path);
    const hidden = bad === null ? hideDenied(binding, bounds, whoMoves) : refuse(bad);
    if (!hidden.ok) why = hidden.error;
    else if (hidden.value.length > MAX_BINDINGS) why = tooMany(hidden.value.length, 'hidden');
    else if (!hidden.value.some((place) => isBeneath(path, place))) return accept({ binding, hidden: hidden.value });
    else why = 'it lies where the type\'s ceiling denies what lies beside it';
  }
  return refuse(why);
}

/** Operations of the file tool that can do with a file alone. */
const ON_A_FILE = ['read', 'stat', 'search'];

/**
 * The workspace as a whole; else the deepest `DIR/**` held that covers the path, so that the file tool sees why a name below it
 * is missing; else the path alone for reading, its directory for writing (a new name is a change of the directory). Where
 * denials leave no other way, a path that is only read is shown if it is a file.
 */
function waysToShow(path: string, action: string, held: readonly Capability[], op: string, whoMoves: 'agent' | 'nobody'): readonly Binding[] {
  const access = action === 'read' ? 'ro' : 'rw';
  const narrow = { path: action === 'read' ? path : parentOf(path), access } as const;
  const file = action === 'read' && whoMoves === 'nobody' && ON_A_FILE.includes(op) ? [{ path, access, is: 'file' } as const] : [];
  // The workspace's own parent is not for a call to see.
  if (path === WORKSPACE) return [{ path, access }, ...file];
  if (isBeneath(path, WORKSPACE)) return [{ path: WORKSPACE, access }, narrow, ...file];
  const dirs = held
    .filter((h) => h.namespace === 'fs' && h.action === action)
    .map((h) => treeOf(h.resource))
    .filter((dir) => dir !== null)
    .filter((dir) => path !== dir && isBeneath(path, dir) && whyNotBindable(dir) === null)
    .sort((a, b) => b.length - a.length);
  return [...dirs.slice(0, 1).map((dir) => ({ path: dir, access }) as const), narrow, ...file];
}

/**
 * All that is held of the file system, since nobody knows which files a program will open. Held patterns of other shapes than
 * `PATH` and `DIR/**` cannot be mounted and stay usable through the file tools only; so does a directory below which something
 * is denied that cannot be hidden. One that may be written, but not all of it, is shown to be read.
 */
function planProcessCall({ command, held, bounds: named, root }: CallToPlan, limits: CallLimits): Result<SandboxPlan> {
  const bounds = byOtherNames(named);
  if (command.argv[0] === undefined || command.argv[0] === '') return refuse('cannot run a command without a name');
  const image = hideInImage(bounds);
  if (!image.ok) return refuse(`cannot run a program: it would see the image, and ${image.error}`);
  const wanted: Binding[] = [];
  const left: { readonly path: string; readonly why: string }[] = [];
  for (const h of held) {
    const access = accessOf(h);
    // A mount lets write all that it lets delete.
    if (h.action === 'delete') continue;
    const tree = treeOf(h.resource);
    const path = tree ?? literalOf(h.resource);
    if (access === null || path === null || whyNotBindable(path) !== null) continue;
    const asked: Binding = { path, access, is: tree === null ? 'file' : 'directory' };
    const ways = [asked, { ...asked, access: 'ro' } as const].map((b) => ({ b, hidden: hideDenied(b, bounds, 'agent') }));
    const way = ways.find(({ hidden }) => hidden.ok);
    if (way !== undefined) wanted.push(way.b);
    else left.push({ path, why: ways.flatMap(({ hidden }) => (hidden.ok ? [] : hidden.error)).at(-1)! });
  }
  const bindings = merge(wanted);
  if (bindings.length > MAX_BINDINGS) return refuse(tooMany(bindings.length, 'visible'));
  const below = bindings.map((b) => hideDenied(b, bounds, 'agent')).flatMap((places) => (places.ok ? places.value : []));
  const hidden = outermost([...image.value, ...below]);
  if (hidden.length > MAX_BINDINGS) return refuse(tooMany(hidden.length, 'hidden'));
  const lost = bindings.some((b) => isBeneath(command.cwd, b.path)) ? undefined : left.find(({ path }) => isBeneath(command.cwd, path));
  if (lost !== undefined) return refuse(`cannot start a program in ${command.cwd}: ${lost.why}`);
  const home = bindings.some((b) => b.path === WORKSPACE && b.access === 'rw' && b.is !== 'file') ? WORKSPACE : '/tmp';
  const env = callEnvironment(command.env, home);
  if (!env.ok) return env;
  const plan: SandboxPlan = { kind: 'process', root, argv: command.argv, cwd: command.cwd, env: env.value, bindings, hidden, limits };
  const { terminal, secrets } = command;
  return accept({ ...plan, ...(terminal === undefined ? {} : { terminal }), ...(secrets === undefined ? {} : { secrets, env: { ...env.value, ...secretVariables(secrets) } }) });
}

function tooMany(count: number, what: 'visible' | 'hidden'): string {
  return `cannot make ${count} paths ${what} in one call; ${MAX_BINDINGS} are the most`;
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
