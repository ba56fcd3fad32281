// SPDX-License-Identifier: Apache-2.0
// Containers start one after the other while a neighbour with the same workspace moves the directory they start in about (C24: CVE-2025-31133,
// CVE-2025-52565, CVE-2025-52881 and CVE-2024-21626 are of this kind): what they write where they come out is never the machine's. A start
// through the door takes seconds here and crun a fraction of one: the full count is crun's own starts, a hundredth of it goes through the door.
import { beforeAll, expect, it } from 'vitest';
import { openDoor, type Door } from './door.ts';
import { declare, PATIENCE_S, root, until } from './machine.ts';
import { stdout } from './probe.ts';

const RUNTIME_COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 40);
const COUNT = Math.max(6, Math.ceil(RUNTIME_COUNT / 100));
/** How long crun is started beside one mover, which lasts as long as a call of its type may, 60 s: what crun made behind it would stay. */
const BESIDE_ONE_S = 30;
const WORKSPACE = '/var/lib/holdfast-workspaces/laptop';
const FILES = ['core_pattern', 'modprobe', 'cgroup.procs', 'sysrq-trigger', 'uevent_helper', 'made'];
/** A rename, so that there is always one of them. The mover before may have been stopped between its two steps. */
const MOVE = `import contextlib, os
with contextlib.suppress(FileNotFoundError): os.unlink('/workspace/next')
places = ['/workspace/inside', '/proc/sys/kernel', '/proc', '/sys/fs/cgroup', '/dev', '/proc/1/root', '/proc/self/fd', '/']
while True:
  for place in places:
    os.symlink(place, '/workspace/next'); os.rename('/workspace/next', '/workspace/here')`;
/** Where it comes out, that it is in its container there (its number, its root), and what it can write. */
const WRITE = `echo at $(pwd -P); echo in $$ $(stat -c %d:%i /); for f in ${FILES.join(' ')}; do (echo 1 >$f) 2>/dev/null && echo "wrote $(pwd -P)/$f"; done; true`;

/**
 * crun as Podman has it start a container of this agent: in the namespaces of one that runs, with its configuration, but that crun itself
 * enters the directory that moves, and every other time mounts below it. Root's shell has no profile, so none holds what comes out.
 */
const RUNTIME = `import collections, glob, json, os, subprocess, time
[state] = glob.glob('/run/holdfast-containers/laptop/containers/*')
conmon = subprocess.run(['pgrep', '-f', '^/usr/bin/conmon .*' + state], capture_output=True, text=True, check=True).stdout.split()[0]
config = json.load(open(glob.glob(state + '/crun/*/config.json')[0]))
uid = os.stat(state).st_uid
config['process'] |= {'args': ['/usr/bin/sh', '-c', ${JSON.stringify(`(echo 1 >mounted/file) 2>/dev/null && echo "wrote $(pwd -P)/mounted/file"; ${WRITE}`)}], 'cwd': '/workspace/here'}
def bundle(name, mounts):
    path = f'{state}/{name}'
    os.makedirs(path, exist_ok=True)
    json.dump(config | {'mounts': config['mounts'] + mounts}, open(f'{path}/config.json', 'w'))
    return path
plain = bundle('race-plain', [])
below = bundle('race-below', [{'destination': '/workspace/here/mounted', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['nosuid', 'nodev']}])
os.makedirs(f'{state}/race-crun', exist_ok=True)
for name in ['race-plain', 'race-plain/config.json', 'race-below', 'race-below/config.json', 'race-crun']: os.chown(f'{state}/{name}', uid, uid)
spaces = [os.open(f'/proc/{conmon}/ns/{kind}', os.O_RDONLY) for kind in ('user', 'mnt', 'net', 'uts')]
os.setgroups([])
for space in spaces: os.setns(space)
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
said = collections.Counter()
mounts = open('/proc/self/mountinfo').read()
begun = time.monotonic()
starts = 0
while starts < MOST and time.monotonic() - begun < ${BESIDE_ONE_S}:
    ran = subprocess.run(['/usr/bin/crun', '--root', f'{state}/race-crun', '--cgroup-manager=disabled', 'run', '--bundle', [plain, below][starts % 2], f'race-{starts}'], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said.update(ran.stdout.splitlines() or [f'refused: {ran.stderr.strip()}'])
    starts += 1
if open('/proc/self/mountinfo').read() != mounts: said['wrote a mount outside of the container'] += 1
print(json.dumps({'starts': starts, 'said': said}))
`;

/** What the root of a container is, and of nothing else. */
const treeRoot = (): string => root('stat -c %d:%i /usr/lib/holdfast/toolroot').trim();

/** What a write or a mount would change outside. */
const outside = (): string => root(`awk '{ print $5 }' /proc/1/mountinfo; cat /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe; ls -A / /dev; find /run/holdfast-containers/laptop -mindepth 2 -maxdepth 2 2>/dev/null || true`);

/** A container of the same workspace that runs `script` until it is stopped, or its time is over. */
async function neighbour(door: Door, script: readonly string[]): Promise<void> {
  const stopped = await door.call('container.stop', { name: 'mover' });
  expect(stopped.text).toMatch(/was ended|no container of that name runs/);
  // Whoever looks for the neighbour must find one.
  await until('the neighbour before to be gone', () => root('find /run/holdfast-containers/laptop/containers -mindepth 1 -maxdepth 1 2>/dev/null || true') === '');
  rest();
  expect(await door.call('container.run', { name: 'mover', program: script[0], args: script.slice(1), wait_ms: 0, timeout_ms: 600_000 })).toMatchObject({ isError: false });
}

const isMoving = () => until('the directory to move', () => root(`readlink ${WORKSPACE}/here`) !== 'inside\n');
const rest = () => root(`ln -sfn inside ${WORKSPACE}/here`);

beforeAll(() => {
  declare('name: laptop\ntype: task\n');
  root(`cd ${WORKSPACE}; rm -rf inside here next; mkdir inside; chown --reference . inside`);
});

it('starts in a directory that moves: the writes that succeed are in the workspace (C24)', { timeout: 120_000 + COUNT * 60_000 }, async () => {
  const before = outside();
  const door = await openDoor('laptop');
  const [came, within, wrote] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const start = async (n: number): Promise<void> => {
    const answer = await door.call('container.run', { name: `racer-${n}`, program: 'sh', args: ['-c', WRITE], cwd: '/workspace/here', wait_ms: PATIENCE_S * 1000 });
    const lines = stdout(answer).split('\n');
    // One that never came to its program says why.
    expect(lines[0], answer.text).toMatch(/^at \/|^$/);
    for (const line of lines) {
      if (line.startsWith('wrote ')) wrote.add(line.slice(6));
      if (line.startsWith('in ')) within.add(line);
    }
    came.add(lines[0] === '' ? 'nowhere' : lines[0]!);
  };
  try {
    // The control: where nothing moves, a start comes to the directory and writes there.
    rest();
    await start(0);
    expect([...came, ...wrote]).toEqual(['at /workspace/inside', ...FILES.map((file) => `/workspace/inside/${file}`)]);
    for (let n = 1; n <= COUNT; n++) {
      // It ends with its own time, so it is started anew.
      if (n % 5 === 1) {
        await neighbour(door, ['python3', '-c', MOVE]);
        await isMoving();
      }
      await start(n);
    }
    await door.call('container.stop', { name: 'mover' });
  } finally {
    door.close();
  }
  console.log(`${COUNT} starts came to ${[...came].join(', ')}`);
  expect(came.size).toBeGreaterThan(1);
  // Its PID 1 is call-init.
  expect([...within]).toEqual([`in 2 ${treeRoot()}`]);
  expect([...wrote].filter((file) => !file.startsWith('/workspace/inside/'))).toEqual([]);
  await until('the containers to be gone', () => outside() === before);
});

it('as does crun by itself, which enters that directory and mounts below it (C24)', { timeout: 240_000 + RUNTIME_COUNT * 10_000 }, async () => {
  const before = outside();
  const door = await openDoor('laptop');
  const stood = () => until('the neighbour to stand', () => root('find /run/holdfast-containers/laptop -path "*/crun/*/config.json"') !== '');
  const starts = (most: number) => JSON.parse(root('python3 -I -', RUNTIME.replace('MOST', String(most)))) as { starts: number; said: Record<string, number> };
  const said = new Map<string, number>();
  try {
    // The control: where nothing moves, both come to the directory and write there, one of them on what it mounted.
    await neighbour(door, ['sleep', '600']);
    await stood();
    root(`rm -rf ${WORKSPACE}/inside/*`);
    expect(starts(2).said).toEqual({ 'at /workspace/inside': 2, [`in 1 ${treeRoot()}`]: 2, 'wrote /workspace/inside/mounted/file': 1, ...Object.fromEntries(FILES.map((file) => [`wrote /workspace/inside/${file}`, 2])) });
    expect(root(`ls -A ${WORKSPACE}/inside/mounted`)).toBe('');
    for (let left = RUNTIME_COUNT; left > 0; ) {
      await neighbour(door, ['python3', '-c', MOVE]);
      await isMoving();
      const ran = starts(left);
      left -= ran.starts;
      for (const [line, times] of Object.entries(ran.said)) said.set(line, (said.get(line) ?? 0) + times);
    }
    await door.call('container.stop', { name: 'mover' });
  } finally {
    door.close();
  }
  console.log(`${RUNTIME_COUNT} starts of crun: ${[...said].map(([line, times]) => `${times} x ${line}`).join(', ')}`);
  const places = [...said.keys()].filter((line) => line.startsWith('at '));
  expect(places.length).toBeGreaterThan(1);
  expect([...said.keys()].filter((line) => line.startsWith('in '))).toEqual([`in 1 ${treeRoot()}`]);
  // Each by its name in the container: what its root cannot reach has none.
  for (const place of places) expect(place).toMatch(/^at \/(?:workspace\/inside|proc(?:\/sys\/kernel|\/\d+\/fd)?|sys\/fs\/cgroup|dev)?$/);
  // What is mounted below comes out where the directory led in the container, and a file there is in that mount, which is its own.
  const wrote = [...said.keys()].filter((line) => line.startsWith('wrote ') && !/^wrote (?:\/dev|\/sys\/fs\/cgroup)\/mounted\/file$/.test(line));
  expect(wrote.filter((line) => !line.startsWith('wrote /workspace/inside/'))).toEqual([]);
  await until('the containers to be gone', () => outside() === before);
});
