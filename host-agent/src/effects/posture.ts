// SPDX-License-Identifier: Apache-2.0
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostureFact } from '../door/operator-wire.ts';
import { bootId, bootMillis } from './clock.ts';
import { pathsUnder } from './paths.ts';
import { readSecretsState, secretsWarning } from './secrets-state.ts';
import { readWatchState } from './watch-state.ts';

// What the machine can show for itself, read now from the kernel and never assumed. A file that cannot be read is a bad fact with
// the reason beside it.

/** A process of ours: the unit it runs in and the AppArmor profile that unit must have given it. */
export type Confined = { readonly unit: string; readonly profile: string; readonly mustRun: boolean };

/** Many times what the calls of an agent need. */
const MOST_GROUPS = 256;

/** `contained`: units of agents that may only run while the kernel's record of them is written (R103). */
export async function readPosture(root: string, confined: readonly Confined[], contained: readonly string[]): Promise<readonly PostureFact[]> {
  const facts = await Promise.all([
    fact('verity root', () => verityRoot(root)),
    fact('secure boot', () => secureBoot(root)),
    fact('apparmor', () => appArmor(root)),
    fact('agent limits', () => agentLimits(root)),
    fact('safe partition', () => mounted(root, '/run/holdfast-safe', 'the latch and break-glass have no store')),
    fact('var', () => mounted(root, '/var', 'workspaces and the ledger lie on the root')),
    fact('clock', () => clock(root)),
    fact('root keys', () => rootKeys(root)),
    fact('secrets', () => secrets(root)),
    fact('contained agents', () => ownHands(root, contained)),
  ]);
  return [...facts, ...(await labels(root, confined))];
}

type Found = Omit<PostureFact, 'name'>;

function good(detail: string): Found {
  return { state: 'good', detail };
}

function bad(detail: string): Found {
  return { state: 'bad', detail };
}

async function fact(name: string, read: () => Promise<Found>): Promise<PostureFact> {
  try {
    return { name, ...(await read()) };
  } catch (fault) {
    return { name, ...bad(`cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`) };
  }
}

type Mount = { readonly device: string; readonly point: string; readonly options: readonly string[]; readonly majorMinor: string };

async function mounts(root: string): Promise<readonly Mount[]> {
  // mountinfo (proc(5)): id parent major:minor root point options … - type source super-options
  const lines = (await readFile(join(root, '/proc/self/mountinfo'), 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const fields = left.split(' ');
    return {
      device: right.split(' ')[1] ?? '',
      point: fields[4] ?? '',
      options: (fields[5] ?? '').split(','),
      majorMinor: fields[2] ?? '',
    };
  });
}

async function verityRoot(root: string): Promise<Found> {
  const top = (await mounts(root)).filter((m) => m.point === '/').at(-1);
  if (top === undefined) return bad('/ is in no line of mountinfo');
  // The device-mapper target that the kernel itself names, not the name somebody gave the device.
  const uuid = (await readFile(join(root, '/sys/dev/block', top.majorMinor, 'dm/uuid'), 'utf8')).trim();
  if (!uuid.startsWith('CRYPT-VERITY-')) return bad(`/ is ${top.device}, which is no dm-verity device`);
  return good(`/ is ${top.device}`);
}

async function secureBoot(root: string): Promise<Found> {
  const open = 'whoever has the disk owns the next boot';
  const folder = join(root, '/sys/firmware/efi/efivars');
  const name = (await readdir(folder).catch(() => [])).find((file) => file.startsWith('SecureBoot-'));
  if (name === undefined) return bad(`the firmware shows no SecureBoot variable; ${open}`);
  // Four bytes of attributes, then the value (efivarfs).
  const value = (await readFile(join(folder, name)))[4];
  return value === 1 ? good('on') : bad(`off; ${open}`);
}

async function appArmor(root: string): Promise<Found> {
  const enabled = (await readFile(join(root, '/sys/module/apparmor/parameters/enabled'), 'utf8')).trim();
  return enabled === 'Y' ? good('on') : bad('the kernel runs without it');
}

async function agentLimits(root: string): Promise<Found> {
  const folder = join(root, '/sys/fs/cgroup/agents.slice');
  const [memory, tasks] = await Promise.all(['memory.max', 'pids.max'].map(async (f) => (await readFile(join(folder, f), 'utf8')).trim()));
  const unlimited = [memory === 'max' ? 'memory' : '', tasks === 'max' ? 'tasks' : ''].filter((what) => what !== '');
  if (unlimited.length > 0) return bad(`agents.slice has no limit on ${unlimited.join(' and ')}`);
  return good(`all agents together: memory ${memory}, tasks ${tasks}`);
}

async function mounted(root: string, point: string, otherwise: string): Promise<Found> {
  const mount = (await mounts(root)).find((m) => m.point === point);
  return mount === undefined ? bad(`${point} is not mounted; ${otherwise}`) : good(`${point} is ${mount.device}`);
}

async function clock(root: string): Promise<Found> {
  // systemd-timesyncd touches this file when a server has set the clock.
  const set = await access(join(root, '/run/systemd/timesync/synchronized')).then(() => true, () => false);
  return set ? good('set by a time server') : bad('no time server has set it; entries are ordered by number, not by time');
}

async function rootKeys(root: string): Promise<Found> {
  const folder = join(root, '/run/ssh-keys');
  // The folder is there once the seed was looked at; only then does a missing file mean that there are none.
  const enrolled = (await readdir(folder)).includes('root') ? await readFile(join(folder, 'root'), 'utf8') : '';
  const count = enrolled.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')).length;
  return count === 0 ? good('none: nobody can log in as root') : bad(`${count} enrolled: their holders can do everything, unrecorded`);
}

async function secrets(root: string): Promise<Found> {
  const said = readSecretsState(pathsUnder(root).secretBindings);
  const warning = secretsWarning(said);
  if (warning !== null) return bad(warning);
  return good(said.state === 'absent' ? 'none kept' : 'open');
}

/** holdfast-watch says each second how far it has come; one that hangs says nothing. */
const RECORDED_WITHIN_MS = 10_000;

async function ownHands(root: string, contained: readonly string[]): Promise<Found> {
  const folders = await unitFolders(join(root, '/sys/fs/cgroup'));
  const pids = await Promise.all(contained.map((unit) => folders.get(unit)).map((folder) => (folder === undefined ? [] : processesUnder(folder))));
  const running = contained.filter((_, i) => pids[i]!.length > 0);
  if (running.length === 0) return good('none runs');
  const state = readWatchState(pathsUnder(root).watchState, bootId());
  const silent = state === null ? null : bootMillis() - state.at;
  if (state === null || silent === null || silent > RECORDED_WITHIN_MS) {
    const since = silent === null ? '' : ` for ${Math.round(silent / 1000)} s`;
    return bad(`${running.length} run, and nothing is recorded of what they do by themselves${since}`);
  }
  return good(`${running.length} run, and what they do by themselves is recorded; the kernel lost ${state.lost} records`);
}

async function labels(root: string, confined: readonly Confined[]): Promise<readonly PostureFact[]> {
  const folders = unitFolders(join(root, '/sys/fs/cgroup'));
  folders.catch(() => undefined);
  return Promise.all(
    confined.map(({ unit, profile, mustRun }) =>
      fact(`label ${unit}`, async () => {
        const folder = (await folders).get(unit);
        const pids = folder === undefined ? [] : await processesUnder(folder);
        if (pids.length === 0) return mustRun ? bad('it does not run') : good('does not run');
        const seen = new Set<string>();
        for (const pid of pids) {
          const label = await readFile(join(root, '/proc', pid, 'attr/current'), 'utf8').catch(ifGone(null));
          if (label !== null) seen.add(label.replace(/[\0\n]+$/, ''));
        }
        const wrong = [...seen].filter((label) => !isConfinedBy(profile, label));
        if (seen.size === 0) return mustRun ? bad('its processes ended while they were looked at') : good('does not run');
        return wrong.length > 0 ? bad(`runs as "${wrong.join('", "')}", not as ${profile} (enforce)`) : good([...seen].sort().join(', '));
      }),
    ),
  );
}

/** Processes and groups come and go between two reads; anything else that cannot be read is no reason to call it good. */
function ifGone<T>(value: T): (fault: NodeJS.ErrnoException) => T {
  return (fault) => {
    if (fault.code === 'ENOENT' || fault.code === 'ESRCH' || fault.code === 'ENODEV') return value;
    throw fault;
  };
}

/** Of a stack (`a//&b (enforce)`) every part must allow, so the profile being one of them is enough; any other mode is not. */
function isConfinedBy(profile: string, label: string): boolean {
  const enforced = /^(.*) \(enforce\)$/.exec(label)?.[1];
  return enforced !== undefined && enforced.split('//&').includes(profile);
}

function fail(fault: Error): never {
  throw fault;
}

async function unitFolders(top: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const search = async (folder: string, depth: number): Promise<void> => {
    const items = await readdir(folder, { withFileTypes: true }).catch(depth === 0 ? fail : ifGone([]));
    for (const item of items) {
      if (!item.isDirectory()) continue;
      if (item.name.endsWith('.service')) found.set(item.name, join(folder, item.name));
      else if (item.name.endsWith('.slice') && depth < 6) await search(join(folder, item.name), depth + 1);
    }
  };
  await search(top, 0);
  return found;
}

/** A runner makes the groups below its own itself, and may be its agent's: what cannot be looked through is not called good. */
async function processesUnder(folder: string, groups = { left: MOST_GROUPS }): Promise<readonly string[]> {
  groups.left -= 1;
  if (groups.left < 0) throw new Error(`there are more than ${MOST_GROUPS} control groups in it`);
  const own = (await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(ifGone(''))).split('\n').filter((pid) => pid !== '');
  const items = await readdir(folder, { withFileTypes: true }).catch(ifGone([]));
  const below = [];
  for (const item of items) if (item.isDirectory()) below.push(await processesUnder(join(folder, item.name), groups));
  return [...own, ...below.flat()];
}
