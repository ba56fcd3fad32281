// SPDX-License-Identifier: Apache-2.0
import { isBeneath } from './bindable.ts';
import { IMAGE, IMAGE_ETC, MERGED_USR } from './image-paths.ts';
import type { Binding, SandboxPlan } from './permit.ts';

/** Where this plan is run: what the runner knows and no permit says. */
export type Place = {
  /** Directory of call-enter, call-init and file-tool, the same inside the sandbox. */
  readonly programs: string;
  readonly bwrap: string;
  /** Directory of the call's own control group. */
  readonly cgroup: string;
  readonly label: string;
  /** The host path of a path that a plan names. The product's units show /workspace itself, so there it is the identity. */
  readonly hostOf: (path: string) => string;
};

const SHM_MAX = 64 * 1024 * 1024;

/**
 * The whole command line of a call: call-enter, bubblewrap, call-init, command. Order matters: later mounts lie over earlier
 * ones, so what is hidden lies over the bindings and the programs of the launch over what is hidden; `/` becomes read-only last.
 * Everything the agent chose stands behind `@bindings` and `@sealed`, where call-enter stops looking.
 */
export function bwrapArgv(plan: SandboxPlan, notAfter: number, at: Place): readonly string[] {
  return [
    [`${at.programs}/call-enter`, '--cgroup', at.cgroup],
    ...plan.bindings.map((b) => ['--bind', modeOf(b), at.hostOf(b.path), b.path]),
    ...hiddenIn(plan).map((path) => ['--hide', at.hostOf(path), path]),
    ['--', at.bwrap],
    // A user namespace of its own, or none of the others could be made without privilege; an empty network namespace.
    ['--unshare-all', '--die-with-parent', '--new-session', '--as-pid-1', '--cap-drop', 'ALL', '--clearenv'],
    ...(plan.kind === 'process' ? imageOf(plan) : []),
    // call-init reads its own label here before anything else runs.
    ['--proc', '/proc'],
    ['@bindings'],
    ...programsIn(plan, at),
    ['@sealed'],
    plan.kind === 'process' ? ['--remount-ro', '/dev'] : [],
    ['--remount-ro', '/'],
    ...Object.entries(plan.env).map(([name, value]) => ['--setenv', name, value]),
    ['--', `${at.programs}/call-init`, '--not-after', String(notAfter), '--label', at.label, '--cwd', plan.cwd],
    ['--'],
    plan.kind === 'file' ? [`${at.programs}/file-tool`, ...plan.argv.slice(1)] : plan.argv,
  ].flat();
}

/** Descriptors of these are opened by call-enter without following a link (A09, A10). */
function modeOf(b: Binding): string {
  return b.is === undefined ? b.access : `${b.access}-${b.is}`;
}

type Words = readonly (readonly string[])[];

function imageOf(plan: SandboxPlan): Words {
  // Memory of a tmpfs is memory of the call: the cap only keeps a full one from killing the call that filled it.
  const tmp = Math.floor(plan.limits.memoryMax / 2);
  return [
    ['--ro-bind', IMAGE, IMAGE],
    ...MERGED_USR.map((name) => ['--symlink', `usr/${name}`, `/${name}`]),
    ...IMAGE_ETC.filter((path) => !isHidden(plan, path)).map((path) => ['--ro-bind-try', path, path]),
    ['--dev', '/dev'],
    ['--perms', '1777', '--size', String(Math.min(tmp, SHM_MAX)), '--tmpfs', '/dev/shm'],
    ['--perms', '1777', '--size', String(tmp), '--tmpfs', '/tmp'],
  ];
}

/** An entry of /etc that is left out of the image needs nothing over it, unless a binding brings it back. */
function hiddenIn(plan: SandboxPlan): readonly string[] {
  if (plan.kind === 'file') return plan.hidden;
  return plan.hidden.filter((path) => !IMAGE_ETC.includes(path) || plan.bindings.some((b) => isBeneath(path, b.path)));
}

function isHidden(plan: SandboxPlan, path: string): boolean {
  return plan.hidden.some((place) => isBeneath(path, place));
}

/**
 * What the launch itself executes, file by file, also where their directory is hidden: call-init must be where the kernel's profile
 * names it, and stays visible to the command, which can run it and gains nothing by that.
 */
function programsIn(plan: SandboxPlan, at: Place): Words {
  // Of a process call they are part of the image's /usr already.
  const touched = isHidden(plan, at.programs) || plan.hidden.some((place) => isBeneath(place, at.programs));
  if (plan.kind === 'process' && at.programs.startsWith(`${IMAGE}/`) && !touched) return [];
  const names = plan.kind === 'file' ? ['call-init', 'file-tool'] : ['call-init'];
  return names.map((name) => ['--ro-bind', `${at.programs}/${name}`, `${at.programs}/${name}`]);
}
