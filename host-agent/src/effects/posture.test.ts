// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PostureFact } from '../door/operator-wire.ts';
import { readPosture, type Confined } from './posture.ts';

// A tree of the files that a good machine shows, and what becomes of each fact when its file says other, or is gone.

let root = '';
beforeEach(() => {
  root = mkdtempSync('/tmp/holdfast-posture-');
  for (const [path, content] of Object.entries(GOOD)) put(path, content);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const MOUNTS = `24 1 254:0 / / ro,relatime - erofs /dev/mapper/root ro
30 24 254:4 / /var rw,nosuid,nodev - xfs /dev/vda7 rw
31 24 254:5 / /run/holdfast-safe rw,nosuid,nodev,noexec - ext4 /dev/vda6 rw
`;
const GOOD: Readonly<Record<string, string | Uint8Array>> = {
  'proc/self/mountinfo': MOUNTS,
  'sys/dev/block/254:0/dm/uuid': 'CRYPT-VERITY-0123-root\n',
  'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c': new Uint8Array([6, 0, 0, 0, 1]),
  'sys/module/apparmor/parameters/enabled': 'Y\n',
  'sys/fs/cgroup/agents.slice/memory.max': '1073741824\n',
  'sys/fs/cgroup/agents.slice/pids.max': '512\n',
  'run/systemd/timesync/synchronized': '',
  'run/holdfast-secrets/bindings.json': '{"v":1,"state":"open","bindings":[]}',
  'run/ssh-keys/anna': 'ssh-ed25519 AAAA\n',
  'sys/fs/cgroup/system.slice/holdfastd.service/cgroup.procs': '10\n',
  'proc/10/attr/current': 'holdfastd (enforce)\n',
  'sys/fs/cgroup/agents.slice/agents-main.slice/agents-main-demo.slice/holdfast-runner@demo.service/cgroup.procs': '',
  'sys/fs/cgroup/agents.slice/agents-main.slice/agents-main-demo.slice/holdfast-runner@demo.service/main/cgroup.procs': '20\n',
  'sys/fs/cgroup/agents.slice/agents-main.slice/agents-main-demo.slice/holdfast-runner@demo.service/call-1/cgroup.procs': '21\n22\n',
  'proc/20/attr/current': 'holdfast-runner-task (enforce)\n',
  'proc/21/attr/current': 'holdfast-call-task//&holdfast-runner-task (enforce)\n',
};
const CONFINED: readonly Confined[] = [
  { unit: 'holdfastd.service', profile: 'holdfastd', mustRun: true },
  { unit: 'holdfast-runner@demo.service', profile: 'holdfast-runner-task', mustRun: false },
  { unit: 'holdfast-agent@demo.service', profile: 'holdfast-agent-task', mustRun: false },
];
const CONTAINED = ['holdfast-agent@hands.service'];

async function fact(name: string): Promise<Pick<PostureFact, 'state' | 'detail'>> {
  const found = (await readPosture(root, CONFINED, CONTAINED)).filter((f) => f.name === name);
  expect(found).toHaveLength(1);
  return { state: found[0]!.state, detail: found[0]!.detail };
}

test.each([
  ['{"v":1,"state":"open","bindings":[]}', 'good', /^open$/],
  ['{"v":1,"state":"absent","bindings":[]}', 'good', /^none kept$/],
  ['{"v":1,"state":"locked","bindings":[]}', 'bad', /locked.*holdfast secret unlock$/],
  ['{"v":1,"state":"locked","bindings":[],"why":"no TPM"}', 'bad', /locked \(no TPM\).*holdfast secret unlock$/],
  ['{"v":1,"state":"damaged","bindings":[]}', 'bad', /damaged.*holdfast secret status$/],
  ['{"v":1,"state":"fine"}', 'bad', /has not said/],
  ['[', 'bad', /has not said/],
  [null, 'bad', /has not said/],
])('secrets, of which is said %j, are %s', async (said, state, detail) => {
  if (said === null) rmSync(join(root, 'run/holdfast-secrets'), { recursive: true });
  else put('run/holdfast-secrets/bindings.json', said);
  expect(await fact('secrets')).toEqual({ state, detail: expect.stringMatching(detail) });
});

test('on a good machine every fact is good', async () => {
  const facts = await readPosture(root, CONFINED, CONTAINED);
  expect(facts.filter((f) => f.state === 'bad').map((f) => f.name)).toEqual([]);
  expect(await fact('label holdfast-runner@demo.service')).toEqual({ state: 'good', detail: 'holdfast-call-task//&holdfast-runner-task (enforce), holdfast-runner-task (enforce)' });
  expect(await fact('label holdfast-agent@demo.service')).toEqual({ state: 'good', detail: 'does not run' });
});

describe('each fact is read, and another reading is bad', () => {
  test.each<[string, string, string | Uint8Array, string]>([
    ['verity root', 'sys/dev/block/254:0/dm/uuid', 'LVM-0123\n', 'which is no dm-verity device'],
    ['secure boot', 'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c', new Uint8Array([6, 0, 0, 0, 0]), 'owns the next boot'],
    ['apparmor', 'sys/module/apparmor/parameters/enabled', 'N\n', 'without it'],
    ['agent limits', 'sys/fs/cgroup/agents.slice/pids.max', 'max\n', 'no limit on tasks'],
    ['var', 'proc/self/mountinfo', MOUNTS.replace(' /var ', ' /elsewhere '), '/var is not mounted'],
    ['safe partition', 'proc/self/mountinfo', MOUNTS.replace('/run/holdfast-safe', '/mnt'), 'not mounted'],
    ['root keys', 'run/ssh-keys/root', '# comment\nssh-ed25519 AAAA\nssh-ed25519 BBBB\n', '2 enrolled'],
    ['label holdfastd.service', 'proc/10/attr/current', 'holdfastd (complain)\n', 'runs as "holdfastd (complain)"'],
    ['label holdfastd.service', 'proc/10/attr/current', 'unconfined\n', 'runs as "unconfined"'],
    ['label holdfastd.service', 'proc/10/attr/current', 'holdfastd-other (enforce)\n', 'not as holdfastd (enforce)'],
    ['label holdfast-runner@demo.service', 'proc/22/attr/current', 'unconfined\n', 'runs as "unconfined"'],
    ['label holdfastd.service', 'sys/fs/cgroup/system.slice/holdfastd.service/cgroup.procs', '', 'it does not run'],
  ])('%s: %s', async (name, path, content, detail) => {
    expect((await fact(name)).state).toBe('good');
    put(path, content);
    expect(await fact(name)).toEqual({ state: 'bad', detail: expect.stringContaining(detail) });
  });
});

test('a contained agent that runs while nobody records it is bad (R103)', async () => {
  expect(await fact('contained agents')).toEqual({ state: 'good', detail: 'none runs' });
  put(`sys/fs/cgroup/agents.slice/${CONTAINED[0]}/cgroup.procs`, '30\n');
  const unrecorded = { state: 'bad', detail: '1 run, and nothing is recorded of what they do by themselves' };
  expect(await fact('contained agents')).toEqual(unrecorded);
  put('run/holdfast-watch/state.json', '{"boot":"another","at":1,"serial":1,"lost":0}');
  expect(await fact('contained agents')).toEqual(unrecorded);
});

test('control groups without end are not looked through to their end, nor called good', async () => {
  const runner = 'sys/fs/cgroup/agents.slice/agents-main.slice/agents-main-demo.slice/holdfast-runner@demo.service';
  put(`${runner}/${Array.from({ length: 300 }, (_, n) => n).join('/')}/cgroup.procs`, '');
  expect(await fact('label holdfast-runner@demo.service')).toEqual({ state: 'bad', detail: expect.stringContaining('more than 256 control groups') });
});

describe('what cannot be read is bad, never good', () => {
  test.each([
    ['verity root', 'sys/dev/block'],
    ['secure boot', 'sys/firmware'],
    ['apparmor', 'sys/module'],
    ['agent limits', 'sys/fs/cgroup/agents.slice'],
    ['var', 'proc/self/mountinfo'],
    ['safe partition', 'proc/self/mountinfo'],
    ['clock', 'run/systemd'],
    ['root keys', 'run/ssh-keys'],
    ['label holdfastd.service', 'sys/fs/cgroup'],
    ['label holdfast-agent@demo.service', 'sys/fs/cgroup'],
  ])('%s without %s', async (name, path) => {
    rmSync(join(root, path), { recursive: true });
    expect((await fact(name)).state).toBe('bad');
  });

  test('a label that the kernel refuses to show', async () => {
    rmSync(join(root, 'proc/10/attr/current'));
    mkdirSync(join(root, 'proc/10/attr/current'));
    expect(await fact('label holdfastd.service')).toEqual({ state: 'bad', detail: expect.stringContaining('cannot be read') });
  });
});
