// SPDX-License-Identifier: Apache-2.0
import { WORKSPACE } from './bindable.ts';
import { BAKED_IMAGE } from './container-name.ts';
import type { CallLimits, SandboxPlan } from './permit.ts';

/** Where a container is run: what the runner knows and no permit says. */
export type ContainerPlace = {
  /** Directory of container-enter, and in the container's tree of call-init. */
  readonly programs: string;
  readonly label: string;
  readonly uid: number;
  /** The image: a tree that nobody writes to any more. */
  readonly tree: string;
  /** Where Podman keeps all it must remember of this one container; removed with it. */
  readonly state: string;
};

const PODMAN = '/usr/bin/podman';
const SETTINGS = '/usr/lib/holdfast/containers';
const SHM_MAX = 64 * 1024 * 1024;

/** What Podman, conmon and crun themselves take of the control group that they share with the container. */
const PODMAN_MEMORY = 128 * 1024 * 1024;
const PODMAN_TASKS = 40;

export function groupLimits(limits: CallLimits): CallLimits {
  return { ...limits, memoryMax: limits.memoryMax + PODMAN_MEMORY, tasksMax: limits.tasksMax + PODMAN_TASKS };
}

/**
 * The command line of a container, without its control group: container-enter, Podman, call-init, command. Podman starts crun, and crun call-init as PID 1
 * of the container, which keeps the label, the filter of system calls and the deadline as in every call.
 *
 * The image is a tree that is mounted as it lies there, read-only; nothing is copied, so nothing can be left. What keeps the container
 * is around Podman, too: control group, namespaces, filter and profile are the runner's, and Podman can only narrow them.
 */
export function containerArgv(plan: SandboxPlan, notAfter: number, at: ContainerPlace): readonly string[] {
  if (plan.container === undefined) throw new Error('there is no container in this plan');
  const { image } = plan.container;
  const workspace = plan.bindings.find((b) => b.path === WORKSPACE);
  const tmp = Math.floor(plan.limits.memoryMax / 2);
  return [
    [`${at.programs}/container-enter`],
    ...Object.entries(podmanEnvironment(at)).map(([name, value]) => ['--env', `${name}=${value}`]),
    ['--', PODMAN, '--log-level=fatal', '--root', `${at.state}/root`, '--runroot', `${at.state}/run`, '--tmpdir', `${at.state}/tmp`],
    ['run', '--rm', '--interactive', '--preserve-fds=1', '--log-driver=none', '--pull=never'],
    // The agent's uid is the same inside; every other one is nobody.
    ['--userns=keep-id'],
    // Those of container-enter: an empty network and a name of its own.
    ['--network=host', '--uts=host', '--no-hosts', '--http-proxy=false'],
    // The control group, and with it the limits, are those that container-enter joined.
    ['--cgroups=disabled'],
    ['--cap-drop=ALL', '--security-opt=no-new-privileges', `--security-opt=seccomp=${at.programs}/seccomp.json`],
    ['--read-only', '--read-only-tmpfs=false'],
    ['--mount', `type=tmpfs,dst=/tmp,tmpfs-mode=1777,tmpfs-size=${tmp}`],
    ['--mount', 'type=tmpfs,dst=/run,tmpfs-mode=755,tmpfs-size=1048576'],
    // Podman would show the machine's control groups there.
    ...['/sys', '/sys/fs/cgroup'].map((dir) => ['--mount', `type=tmpfs,dst=${dir},ro,tmpfs-size=4096`]),
    ['--mount', `type=tmpfs,dst=/dev/shm,tmpfs-mode=1777,tmpfs-size=${Math.min(tmp, SHM_MAX)}`],
    ...(workspace === undefined ? [] : [['--volume', `${WORKSPACE}:${WORKSPACE}:${workspace.access},nosuid,nodev`]]),
    // The image that is baked in has it already.
    ...(image === BAKED_IMAGE ? [] : [['--volume', `${at.programs}/call-init:${at.programs}/call-init:ro,nosuid,nodev`]]),
    ['--unsetenv-all'],
    ...Object.entries(plan.env).map(([name, value]) => ['--env', `${name}=${value}`]),
    ['--entrypoint', JSON.stringify(initOf(plan.cwd, notAfter, at)), '--rootfs', at.tree],
    plan.argv,
  ].flat();
}

function initOf(cwd: string, notAfter: number, at: ContainerPlace): readonly string[] {
  return [`${at.programs}/call-init`, '--not-after', String(notAfter), '--label', at.label, '--filter', 'call', '--cwd', cwd, '--'];
}


function podmanEnvironment(at: ContainerPlace): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/bin:/usr/sbin',
    HOME: at.state,
    XDG_RUNTIME_DIR: at.state,
    CONTAINERS_CONF: `${SETTINGS}/containers.conf`,
    CONTAINERS_STORAGE_CONF: `${SETTINGS}/storage.conf`,
    // To Podman: you are in your user namespace already, and this is who made it.
    _CONTAINERS_USERNS_CONFIGURED: 'done',
    _CONTAINERS_ROOTLESS_UID: String(at.uid),
    _CONTAINERS_ROOTLESS_GID: String(at.uid),
  };
}
