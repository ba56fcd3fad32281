// SPDX-License-Identifier: Apache-2.0
import { isBeneath } from './bindable.ts';
import { IMAGE, IMAGE_ETC, MERGED_USR, pathUnder } from './image-paths.ts';
import type { Binding, SandboxPlan } from './permit.ts';

/** Where plans are run: what the runner knows and no permit says. */
export type Place = {
  /** Directory of call-launch, call-init and file-tool, the same inside the sandbox. */
  readonly programs: string;
  /** A directory of the runner's that no binding can name: in a launch's own mount namespace the tree of its call stands there. */
  readonly stage: string;
  readonly label: string;
  /** The host path of a path that a plan names. The product's units show /workspace itself, so there it is the identity. */
  readonly hostOf: (path: string) => string;
};

/** What call-launch is told (native/call-launch.c). */
export type LaunchWords = {
  /** Its command line, but for the control group. The same for most calls of an agent: a sandbox can be prepared with it. */
  readonly prepare: readonly string[];
  /** What this call adds; nothing of it is known before there is a permit. */
  readonly call: readonly string[];
};

/**
 * The sandbox of a call, step by step. Order matters: later mounts lie over earlier ones, so what is hidden lies over the bindings
 * and the programs of the launch over what is hidden. Behind the second `--` stands what the agent chose, where call-launch stops reading.
 */
export function launchWords(plan: SandboxPlan, notAfter: number, hasInput: boolean, at: Place): LaunchWords {
  return {
    prepare: [
      [`${at.programs}/call-launch`, '--stage', at.stage],
      // Memory of the tree is memory of the call: the cap only keeps a full /tmp from killing the call that filled it.
      ['--size', String(Math.floor(plan.limits.memoryMax / 2))],
      ...(plan.kind === 'process' ? imageOf(plan) : []),
      // call-init reads its own label here before anything else runs.
      ['--proc'],
    ].flat(),
    call: [
      ...plan.bindings.map((b) => ['--bind', modeOf(b), at.hostOf(pathUnder(plan.root, b.path)), b.path]),
      ...hiddenIn(plan).map((path) => ['--hide', path]),
      ...programsIn(plan, at),
      ...Object.entries(plan.env).map(([name, value]) => ['--env', name, value]),
      // The file tool has no /dev; it meets the end of a pipe.
      hasInput || plan.kind === 'file' || plan.terminal !== undefined ? [] : ['--no-input'],
      ['--', `${at.programs}/call-init`, '--not-after', String(notAfter), '--label', at.label],
      ['--filter', plan.kind === 'file' ? 'file-tool' : 'call'],
      plan.terminal === undefined ? [] : ['--terminal', `${plan.terminal.columns}x${plan.terminal.rows}`],
      plan.secrets === undefined ? [] : ['--secrets', String(plan.secrets.length)],
      ['--cwd', plan.cwd],
      ['--'],
      plan.kind === 'file' ? [`${at.programs}/file-tool`, ...plan.argv.slice(1)] : plan.argv,
    ].flat(),
  };
}

function modeOf(b: Binding): string {
  return b.is === undefined ? b.access : `${b.access}-${b.is}`;
}

type Words = readonly (readonly string[])[];

function imageOf(plan: SandboxPlan): Words {
  return [
    shown(plan, IMAGE),
    ...MERGED_USR.map((name) => ['--link', `usr/${name}`, `/${name}`]),
    ...IMAGE_ETC.filter((path) => !isHidden(plan, path)).map((path) => shown(plan, path)),
    ['--dev', '--scratch', '/dev/shm', '--scratch', '/tmp'],
  ];
}

function shown(plan: SandboxPlan, path: string): readonly string[] {
  const source = pathUnder(plan.root, path);
  return source === path ? ['--image', path] : ['--image-of', source, path];
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
  // Of a process call they are part of its /usr already, the tool root's too.
  const touched = isHidden(plan, at.programs) || plan.hidden.some((place) => isBeneath(place, at.programs));
  if (plan.kind === 'process' && at.programs.startsWith(`${IMAGE}/`) && !touched) return [];
  const names = plan.kind === 'file' ? ['call-init', 'file-tool'] : ['call-init'];
  return names.map((name) => ['--image', `${at.programs}/${name}`]);
}
