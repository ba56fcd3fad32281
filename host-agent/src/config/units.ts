// SPDX-License-Identifier: Apache-2.0
import { networkEnvironment, secretEnvironment } from './agent-environment.ts';
import { type Profiles, type SliceLimits } from './agent-type.ts';
import type { DeclaredAgent } from './declared.ts';
import { BAKED_IMAGE } from '../sandbox/container-name.ts';
import { TOOL_ROOT } from '../sandbox/image-paths.ts';
import { slotOfUid, userOfSlot } from './slots.ts';
import { environmentWord, execLine, plainPath, section } from './unit-syntax.ts';

/** One drop-in below /run/systemd/system. */
export type UnitFile = { readonly path: string; readonly text: string };

export type UnitFacts = {
  readonly agent: DeclaredAgent;
  readonly slice: SliceLimits;
  readonly profiles: Profiles;
  readonly groups: readonly string[];
  /** The folder of this agent's own door. */
  readonly door: string;
  /** The folders of this agent's restore points, of what is put in or got, and of images in the making. */
  readonly own: readonly string[];
  /** The folder of its images. */
  readonly images: string;
  /** The folder of the certificates that agents trust. */
  readonly trust: string;
};

/** holdfast-watch. */
const RECORDER = 'holdfast-watch.service';
const EGRESS = 'holdfast-egress.service';
export const DROP_IN = '50-declared.conf';
/** Apart, because it changes with each secret: nothing that runs is started again for it (effects/unit-writer.ts). */
export const SECRETS_DROP_IN = '60-secrets.conf';
/**
 * An image as the program's file system. Not Podman: it would need in this unit what the unit refuses, namespaces and mounts of its
 * own, and give no ring that systemd does not draw around the same tree.
 */
function inImage(home: string, images: string): readonly (readonly [string, string])[] {
  return [
    // /var, where images that were brought in lie and workspaces, is noexec. The template says the same of /workspace, which is another place
    // once there is a root of its own (systemd.exec(5): `+`).
    ...(home === BAKED_IMAGE ? [['RootDirectory', TOOL_ROOT], ['ExecPaths', '+/workspace']] as const : [['RootDirectory', plainPath(`${images}/${home}`)], ['ExecPaths', '+/']] as const),
    ['MountAPIVFS', 'yes'],
    ['BindReadOnlyPaths', '/etc/passwd /etc/group'],
    // `holdfast mcp`, for programs that start their tools
    ['BindReadOnlyPaths', '/usr/lib/holdfast/bin /usr/lib/holdfast/lib'],
  ];
}
const HEADER = '# Written by holdfast-declare; a change here is lost.\n';

/** What a drop-in of a slice says of it, a property each. */
export function slicePropertiesOf({ text }: UnitFile): readonly string[] {
  return (text.split('[Slice]\n')[1] ?? '').split('\n').filter((line) => line !== '');
}

export function packSlice(agent: Pick<DeclaredAgent, 'pack'>): string {
  return `agents-${agent.pack}.slice`;
}

export function agentSlice(agent: Pick<DeclaredAgent, 'pack' | 'name'>): string {
  return `agents-${agent.pack}-${agent.name}.slice`;
}

export function quotaUnit(agent: Pick<DeclaredAgent, 'name'>): string {
  return `holdfast-quota@${agent.name}.service`;
}

export function relaySocket(agent: Pick<DeclaredAgent, 'name'>): string {
  return `holdfast-relay@${agent.name}.socket`;
}

/** Who has no program of its own on this machine has no network namespace that a relay could listen in. */
export function hasRelay({ program, net }: Pick<DeclaredAgent, 'program' | 'net'>): boolean {
  return program !== null && net !== null;
}

/** A loopback to speak to the relay on, and nothing else: IPAddressDeny=any of the template holds for the rest. No IPv6. */
function wayOut(trust: string): readonly (readonly [string, string])[] {
  return [
    ['RestrictAddressFamilies', 'AF_INET'],
    ['IPAddressAllow', 'localhost'],
    ['BindReadOnlyPaths', plainPath(trust)],
    ...networkEnvironment(plainPath(trust)).map(([name, value]) => ['Environment', environmentWord(name, value)] as const),
  ];
}

/** Mean size of a file below which it is the number of files that runs out, before the file system's own tables grow large. */
const BYTES_A_FILE = 8192;

// By uid and not by directory: the owner of a file may move it to another project, and out of a directory's quota.
function quotaCommand(uid: number, disk: number): string {
  return `limit -u bhard=${disk} ihard=${Math.max(1, Math.floor(disk / BYTES_A_FILE))} ${uid}`;
}

/** What differs per agent from the template units, and nothing else: a declaration chooses a type and narrows it. */
export function unitsOf({ agent, slice, profiles, groups, door, own, images, trust }: UnitFacts): readonly UnitFile[] {
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
      // Short turns: with the usual 100 ms others wait that long for what one agent must leave.
      ['CPUQuotaPeriodSec', '20ms'],
      // PID 1 finds the disk below /var when it applies this: no name of a device is guessed here.
      ['IOReadBandwidthMax', `/var ${slice.ioMax}`],
      ['IOWriteBandwidthMax', `/var ${slice.ioMax}`],
    ])),
    dropIn(quotaUnit(agent), section('Service', [
      ['ExecStart', ''],
      ['ExecStart', execLine(['/usr/sbin/xfs_quota', '-x', '-c', quotaCommand(agent.uid, slice.diskMax), '/var'])],
    ])),
    dropIn(`holdfast-runner@${agent.name}.service`, section('Service', [
      ...identity,
      ['AppArmorProfile', profiles.runner],
      ['BindPaths', workspace],
      ...(groups.length === 0 ? [] : [['SupplementaryGroups', groups.join(' ')] as const]),
      ...ofVar(agent.ceiling, own),
      ...ofEtc(agent.ceiling),
      ...own.map((folder) => ['BindPaths', plainPath(folder)] as const),
    ])),
  ];
  if (agent.containerLabel !== null) {
    units.push(dropIn(`holdfast-containers@${agent.name}.service`, section('Service', [
      ...identity,
      ['AppArmorProfile', profiles.containers],
      ['BindPaths', workspace],
    ])));
  }
  // Without a program the template has nothing to start, and no drop-in makes it startable.
  if (agent.program !== null) {
    const contained = agent.mode === 'contained';
    const before = [
      // R103: nobody contained runs while nobody records what it does. The end of that unit is its end.
      ...(contained ? [['BindsTo', RECORDER], ['After', RECORDER]] as const : []),
      // The certificates are there when holdfast-egress is.
      ...(agent.net === null ? [] : [['Wants', relaySocket(agent)], ['After', `${relaySocket(agent)} ${EGRESS}`]] as const),
    ];
    units.push(dropIn(`holdfast-agent@${agent.name}.service`, (before.length === 0 ? '' : section('Unit', before)) + section('Service', [
      ...identity,
      ['AppArmorProfile', agent.profile],
      // R103: a mediated agent sees its workspace read-only; its writes go through the door.
      [contained ? 'BindPaths' : 'BindReadOnlyPaths', workspace],
      // Connecting to a socket needs no writable mount. No other agent's door is in this namespace.
      ['BindReadOnlyPaths', plainPath(door)],
      ...(agent.home === null ? [] : inImage(agent.home, images)),
      ...(agent.net === null ? [] : wayOut(trust)),
      ['ExecStart', ''],
      ['ExecStart', execLine(agent.program)],
    ])));
  }
  if (hasRelay(agent)) {
    // User and profile are the template's: it is the same program for all, and its control group says whose it is.
    units.push(dropIn(`holdfast-relay@${agent.name}.service`, section('Service', [['Slice', agentSlice(agent)]])));
    const { variables } = secretEnvironment(agent.secrets);
    if (variables.length > 0) {
      units.push({
        path: `holdfast-agent@${agent.name}.service.d/${SECRETS_DROP_IN}`,
        text: HEADER + section('Service', variables.map(([name, value]) => ['Environment', environmentWord(name, value)])),
      });
    }
  }
  return units;
}

/**
 * What the type's ceiling reaches of /var, which the template hides from runners whole. A runner's namespace is the widest that its
 * calls' can be, so no call of another type sees anything of /var, whatever a plan says.
 */
function ofVar({ allow, deny }: DeclaredAgent['ceiling'], own: readonly string[]): readonly (readonly [string, string])[] {
  const below = (patterns: readonly string[], action: string): readonly string[] => {
    const trees = patterns.map((text) => new RegExp(`^fs:${action}:(/var(?:/[^*]+)?)/\\*\\*$`).exec(text)?.[1]);
    return [...new Set(trees.filter((path) => path !== undefined))].sort();
  };
  const written = below(allow, 'write');
  const read = below(allow, 'read').filter((path) => !written.includes(path));
  // Something empty instead, where a folder of the agent's own is shown below: nobody gets through what is inaccessible.
  const holdsOwn = (path: string): boolean => own.some((folder) => folder.startsWith(`${path}/`));
  const hidden = below(deny, 'read').map((path) => (holdsOwn(path) ? (['TemporaryFileSystem', `${plainPath(path)}:ro`] as const) : (['InaccessiblePaths', `-${plainPath(path)}`] as const)));
  if (!written.includes('/var') && !read.includes('/var')) {
    return [...read.map((path) => ['BindReadOnlyPaths', `-${plainPath(path)}`] as const), ...written.map((path) => ['BindPaths', `-${plainPath(path)}`] as const), ...hidden];
  }
  const shown = [['TemporaryFileSystem', ''], ['TemporaryFileSystem', '/run:ro /dev/shm:ro']] as const;
  // Past ProtectSystem=strict; no other type's runner can.
  return [...shown, ...written.map((path) => ['ReadWritePaths', plainPath(path)] as const), ...hidden];
}

/** Past ProtectSystem=strict, for the types that can be granted it. What is no mount of its own stays read-only: the image is. */
function ofEtc({ allow }: DeclaredAgent['ceiling']): readonly (readonly [string, string])[] {
  const written = allow.map((text) => /^fs:write:(\/etc\/[^*]+)\/\*\*$/.exec(text)?.[1]).filter((path) => path !== undefined);
  return [...new Set(written)].sort().map((path) => ['ReadWritePaths', `-${plainPath(path)}`] as const);
}

function dropIn(unit: string, text: string): UnitFile {
  return { path: `${unit}.d/${DROP_IN}`, text: HEADER + text };
}

const OURS = /^(?:holdfast-(?:agent|containers|quota|relay|runner)@[a-z][a-z0-9_]{0,30}\.service|agents(?:-[a-z][a-z0-9_]{0,30}){1,2}\.slice)\.d$/;

/** Whether a folder below /run/systemd/system is one that this file names: only those are ever removed. */
export function isDropInFolder(name: string): boolean {
  return OURS.test(name);
}

/** The agent whose service a drop-in folder belongs to, or null for a slice's. */
export function agentOfFolder(name: string): string | null {
  return /^holdfast-(?:agent|containers|quota|relay|runner)@([a-z][a-z0-9_]{0,30})\.service\.d$/.exec(name)?.[1] ?? null;
}
