// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandboxes } from './sandboxes.ts';
import { callRig, processes, until, type Ran, type Wish } from './testdata/call-rig.ts';

const LAUNCHES = Number(process.env['HOLDFAST_COUNT'] ?? 150);
const RACES = Number(process.env['HOLDFAST_COUNT'] ?? 100);
const rig = callRig();
const { dir, programs, run, shell } = rig;
const launchers = (): readonly string[] => processes(`${programs}/call-launch\0`, rig.stage);
const lines = (ran: unknown): readonly string[] => (ran as Ran).stdout.trimEnd().split('\n');

afterAll(rig.close);

/** call-launch is started by a shell that does `before`, and by `through`, a command that becomes its arguments. */
function started(before: string, through = ''): Wish {
  const other = join(dir, 'other');
  rmSync(other, { recursive: true, force: true });
  mkdirSync(other);
  for (const name of ['call-init', 'file-tool']) copyFileSync(join(programs, name), join(other, name));
  writeFileSync(join(other, 'call-launch'), `#!/bin/bash\n${before}\nexec ${through} ${programs}/call-launch "$@"\n`, { mode: 0o755 });
  return { programs: other };
}

describe('a call\'s sandbox', () => {
  test('has these mounts and no others', async () => {
    mkdirSync(join(dir, 'srv/part'), { recursive: true });
    const bindings = [{ path: '/srv', access: 'ro', is: 'directory' }, { path: '/workspace', access: 'rw', is: 'directory' }] as const;
    const table = lines(await shell('while read -r id parent device root at options rest; do echo "$at $options ${rest#*- }"; done </proc/self/mountinfo', { bindings, hidden: ['/srv/part'] }));
    const [ro, rw] = ['ro,nosuid,nodev', 'rw,nosuid,nodev'].map((flags) => `${flags},relatime`);
    // What a file system of the host is, this machine chose; those made for the call say so by their source.
    const own = (line: string): string => line.replace(/(?<=relatime) (?!\S+ none ).*$/, ' of the host');
    const etc = ['alternatives', 'group', 'hosts', 'ld.so.cache', 'localtime', 'nsswitch.conf', 'passwd'].filter((name) => existsSync(`/etc/${name}`));
    const memory = 'tmpfs none rw,size=131072k,mode=755';
    expect(table.map(own)).toEqual([
      `/ ${ro} ${memory}`,
      `/usr ${ro} of the host`,
      ...etc.map((name) => `/etc/${name} ${ro} of the host`),
      ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name} ro,nosuid,noexec,relatime of the host`),
      '/dev/pts rw,nosuid,noexec,relatime devpts none rw,mode=620,ptmxmode=666,max=64',
      `/dev/shm ${rw} ${memory}`,
      `/tmp ${rw} ${memory}`,
      '/proc ro,nosuid,nodev,noexec,relatime proc none rw',
      `/srv ${ro} of the host`,
      `/workspace ${rw} of the host`,
      `/srv/part ${ro} tmpfs none rw,size=4k,mode=311`,
      `${programs}/call-init ${ro} of the host`,
    ]);
  });

  test('maps one user and one group, and honours no set-user-id', async () => {
    const canary = join(rig.workspace, 'canary');
    copyFileSync('/usr/bin/id', canary);
    chownSync(canary, 30_300, 30_300);
    chmodSync(canary, 0o6755);
    // Control: without a sandbox it changes who one is.
    expect(execFileSync(canary, ['-u'], { encoding: 'utf8' })).toBe('30300\n');
    const seen = lines(await shell('cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; /workspace/canary -u; /workspace/canary -g; chown 30300 canary || echo cannot'));
    const words = seen.map((line) => line.trim().replaceAll(/\s+/g, ' '));
    expect(words).toEqual(['0 0 1', '0 0 1', 'deny', '0', '0', 'cannot']);
    rmSync(canary);
  });

  test('inherits nothing of who starts it', async () => {
    const asked = `env | sort | tr '\\n' ' '; echo; ls /proc/self/fd | tr '\\n' ' '; echo; umask; cut -d' ' -f5-7 /proc/$$/stat; tail -n1 /proc/self/cgroup
      grep -E '^(Sig(Blk|Ign)|NoNewPrivs|Cap...):' /proc/self/status; cat /proc/self/limits`;
    const plain = lines(await shell(asked));
    const ignoring = join(dir, 'ignoring');
    execFileSync('cc', ['-std=c17', '-Wall', '-Wextra', '-Werror', '-o', ignoring, join(import.meta.dirname, '../../native/testdata/ignoring.c')]);
    const loaded = started('export LEAK=1 BASH_ENV=/x; exec 7</etc/passwd 9<>/dev/null; umask 0; ulimit -S -n 4096; ulimit -S -c unlimited', ignoring);
    expect(lines(await shell(asked, loaded))).toEqual(plain);
    // Process 2, the command, leads its own session and group and has no terminal.
    expect(plain.slice(0, 5)).toEqual(['PATH=/usr/bin PWD=/workspace ', '0 1 2 3 ', '0022', '2 2 0', '0::/']);
    const words = plain.map((line) => line.replaceAll(/\s+/g, ' ').trim());
    const none = '0000000000000000';
    expect(words).toEqual(expect.arrayContaining([
      `SigBlk: ${none}`, `SigIgn: ${none}`, 'NoNewPrivs: 1', `CapPrm: ${none}`, `CapBnd: ${none}`, `CapAmb: ${none}`,
      'Max open files 1024 1024 files', 'Max processes 256 256 processes', 'Max core file size 0 0 bytes',
    ]));
  });

  test('shares no namespace with who starts it, nor with the call before', async () => {
    const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
    const look = `for n in ${names.join(' ')}; do readlink /proc/self/ns/$n; done`;
    const [first, second] = [lines(await shell(look)), lines(await shell(look))];
    const ours = names.map((name) => readlinkSync(`/proc/self/ns/${name}`));
    expect(first).toHaveLength(names.length);
    expect([...first, ...second].filter((ns) => ours.includes(ns))).toEqual([]);
  });

  test('lets nothing of /proc be written, and shows no link out of it', async () => {
    const script = `for f in sys/kernel/core_pattern sysrq-trigger sys/vm/drop_caches self/oom_score_adj self/comm self/attr/current irq/default_smp_affinity; do
      [ -e /proc/$f ] && (echo x >/proc/$f) 2>&1 | grep -vq 'Read-only file system' && echo "$f"; done; mount -o remount,rw /proc 2>/dev/null && echo remounted; echo end`;
    expect(lines(await shell(script))).toEqual(['end']);
  });
});

describe('a step that fails', () => {
  const failing = join(dir, 'failing');
  beforeAll(() => {
    execFileSync('cc', ['-std=c17', '-Wall', '-Wextra', '-Werror', '-o', failing, join(import.meta.dirname, '../../native/testdata/failing.c')]);
  });
  const by = (call: string): Wish => started('', `${failing} ${call} --`);
  const COPY_OF_OPENED = 0x1 | 0x80000 | 0x8000 | 0x1000;

  const TERMINAL = { terminal: { columns: 80, rows: 24 } };

  const steps: readonly (readonly [string, string, Wish?])[] = [
    ['descriptors', 'close_range 0 5'],
    ['no_new_privs', 'prctl 0 38'],
    ['parent', 'prctl 0 1'],
    ['namespaces', 'clone3'],
    ['cgroup namespace', 'unshare'],
    ['session', 'setsid'],
    ['ids', 'write 2 4'],
    ['limits', 'prlimit64 1 7'],
    ['capabilities', 'prctl 0 24'],
    ['capabilities', 'capset'],
    ['root', 'fsopen'],
    ['root', 'fsconfig'],
    ['root', 'fsmount'],
    ['stage', 'move_mount'],
    ['image', 'open_tree'],
    ['image', 'mount_setattr 2 0x9000'],
    ['image', 'mkdirat'],
    ['link', 'symlinkat'],
    ['scratch', `open_tree 2 ${COPY_OF_OPENED}`],
    ['plan', 'read 0 4'],
    ['binding', 'openat2'],
    ['hidden', 'openat2', { bindings: [], hidden: ['/usr/share'], cwd: '/' }],
    ['input', 'dup2'],
    ['seal', 'mount_setattr 2 0x1000'],
    ['pivot', 'pivot_root'],
    ['detach', 'umount2'],
    // TIOCSPTLCK, TIOCSWINSZ, TIOCGPTPEER, TIOCSCTTY
    ['terminal', 'ioctl 1 0x40045431', TERMINAL],
    ['terminal', 'ioctl 1 0x5414', TERMINAL],
    ['terminal', 'ioctl 1 0x5441', TERMINAL],
    ['terminal', 'ioctl 1 0x540e', TERMINAL],
  ];

  test.each(steps.map(([step, call, wish]) => [step, call, wish ?? {}] as const))('%s (%s) refuses the call, and leaves nothing', async (step, call, wish) => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    expect(await shell('touch /workspace/ran', { ...by(call), ...wish })).toMatchObject({ error: 'sandbox', message: `cannot build the sandbox: ${step}: EIO` });
    expect(existsSync(join(rig.workspace, 'ran'))).toBe(false);
    expect([rig.groups(), launchers(), readFileSync('/proc/self/mountinfo', 'utf8')]).toEqual([[], [], mounts]);
  });

  test('control: the same way round, with nothing failing, the call runs', async () => {
    expect(await shell('echo ran', by('umount2 0 1'))).toMatchObject({ stdout: 'ran\n' });
  });

  test('of the machine\'s doing: its group is gone, /proc is not whole, a device or call-init is missing', async () => {
    const over = (place: string): (() => Wish) => () => started('', `unshare -m bash -c 'mount -t tmpfs none ${place} && exec "$0" "$@"'`);
    const cases: readonly (readonly [string, () => Wish])[] = [
      ['cgroup: ENOENT', () => started('rmdir "$2"')],
      ['proc: EPERM', over('/proc/sys')],
      ['dev: ENOENT', over('/dev')],
      ['call-init: ENOENT', () => started(`rm ${dir}/other/call-init`)],
      ['stage: ENOENT', () => started(`set -- "\${@:1:3}" ${dir}/nowhere "\${@:5}"`)],
    ];
    for (const [message, by] of cases) {
      expect(await shell('echo ran', by())).toMatchObject({ error: 'sandbox', message: `cannot build the sandbox: ${message}` });
      expect([rig.groups(), launchers()]).toEqual([[], []]);
    }
  });
});

describe('a sandbox that is kept ready', () => {
  const ready = openSandboxes(rig.parent, true);
  const members = (group: string): readonly string[] => readFileSync(`${rig.parent}/${group}/cgroup.procs`, 'utf8').split('\n').filter((pid) => pid !== '');
  const waiting = async (): Promise<string> => {
    await until('a sandbox to wait', () => rig.groups().length === 1 && members(rig.groups()[0]!).length > 0);
    return rig.groups()[0]!;
  };
  afterAll(async () => {
    ready.close();
    await until('the end of what was kept ready', () => rig.groups().length === 0 && launchers().length === 0);
  });

  test('serves the next call and no other; nothing of one reaches the next', async () => {
    const look = 'readlink /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/ipc; cat /tmp/left /dev/shm/left; echo left | tee /tmp/left /dev/shm/left';
    const running = shell(`${look}; sleep 1`, { sandboxes: ready });
    await until('the first to run', () => rig.groups().length === 1 && members(rig.groups()[0]!).length > 2);
    // Kept open: the kernel gives the numbers of namespaces that are gone to new ones.
    const held = members(rig.groups()[0]!).flatMap((pid) => ['mnt', 'pid', 'net', 'ipc'].map((ns) => openSync(`/proc/${pid}/ns/${ns}`, 'r')));
    const first = lines(await running);
    const group = await waiting();
    const second = lines(await shell(look, { sandboxes: ready, env: { PATH: '/usr/bin', CI: 'second' } }));
    expect(existsSync(`${rig.parent}/${group}`)).toBe(false);
    expect(await waiting()).not.toBe(group);
    // Each had a directory of its own to leave something in, and found none left.
    expect([first.length, second.length]).toEqual([5, 5]);
    expect(first.slice(0, 4).filter((ns) => second.includes(ns))).toEqual([]);
    for (const fd of held) closeSync(fd);
  });

  test('knows nothing of its call before there is one', async () => {
    await run(['true'], { sandboxes: ready });
    await waiting();
    const told = launchers().map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8')).join('\n');
    expect(told).toContain('--proc');
    expect(told).not.toMatch(/--bind|--env|call-init|workspace|not-after/);
  });

  test('sees what came to be after it was built, at the time of its call', async () => {
    await run(['true'], { sandboxes: ready });
    await waiting();
    mkdirSync(join(dir, 'srv/later'), { recursive: true });
    writeFileSync(join(dir, 'srv/later/f'), 'later');
    const bindings = [{ path: '/srv/later', access: 'ro', is: 'directory' }] as const;
    expect(await shell('cat /srv/later/f', { sandboxes: ready, bindings, cwd: '/' })).toMatchObject({ stdout: 'later' });
  });

  test('serves no call of another kind or with other limits', async () => {
    await run(['true'], { sandboxes: ready });
    const group = await waiting();
    expect(await run(['true'], { sandboxes: ready, tasksMax: 32 })).toMatchObject({ exit: { code: 0 } });
    expect(rig.groups()).toContain(group);
    writeFileSync(join(rig.workspace, 'f'), 'f');
    const read = { kind: 'file', bindings: [{ path: '/workspace', access: 'ro' }], sandboxes: ready } as const;
    expect(await run(['file-tool', '/workspace', 'read', 'f'], read)).toMatchObject({ stdout: 'f' });
    // Two kinds are kept, those of the last calls.
    await until('the oldest to be let go', () => !rig.groups().includes(group));
  });

  test('that was killed while it waited is no loss', async () => {
    await run(['true'], { sandboxes: ready });
    const before = new Set(rig.groups());
    for (const group of before) writeFileSync(`${rig.parent}/${group}/cgroup.kill`, '1');
    await until('their end', () => rig.groups().every((group) => !before.has(group)));
    expect(await run(['true'], { sandboxes: ready })).toMatchObject({ exit: { code: 0 } });
  });

  test('keeps the deadline of its call, however long it has waited', async () => {
    await run(['true'], { sandboxes: ready });
    await until('a sandbox to wait', () => launchers().length >= 2);
    const began = performance.now();
    expect(await shell('sleep 1000', { sandboxes: ready, ms: 500 })).toMatchObject({ deadline: true, exit: { signal: 'SIGKILL' } });
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

test(`${RACES} launches race one that swaps a directory for a link to a secret: none of them shows it (A09, A10)`, { timeout: 600_000 }, async () => {
  for (const name of ['srv/raced/d', 'secret']) mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(join(dir, 'srv/raced/d/f'), 'inside');
  writeFileSync(join(dir, 'secret/f'), 'CANARY');
  const swap = `cd ${dir}/srv/raced; ln -s ${dir}/secret l; while :; do mv -T d a; mv -T l d; mv -T d l; mv -T a d; done`;
  const swapping = spawn('sh', ['-c', swap], { stdio: 'ignore' });
  const bindings = [{ path: '/srv/raced/d', access: 'ro', is: 'directory' }] as const;
  const seen = { inside: 0, other: 0 };
  try {
    for (let n = 0; n < RACES; n += 1) {
      const ran = (await shell('cat /srv/raced/d/f', { bindings, cwd: '/' })) as Ran;
      expect(ran.stdout).not.toContain('CANARY');
      seen[ran.stdout === 'inside' ? 'inside' : 'other'] += 1;
    }
  } finally {
    swapping.kill('SIGKILL');
  }
  // Otherwise nobody raced.
  expect(seen.inside).toBeGreaterThan(0);
  expect(seen.other).toBeGreaterThan(0);
});

test(`${LAUNCHES} launches leave nothing: no group, process, mount or descriptor`, { timeout: 600_000 }, async () => {
  const ready = openSandboxes(rig.parent, true);
  const count = () => [readdirSync('/proc/self/fd').length, readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length, launchers().length];
  const before = count();
  for (let n = 0; n < LAUNCHES; n += 1) {
    expect(await run(['true'], n % 2 === 0 ? { sandboxes: ready } : {})).toMatchObject({ exit: { code: 0 } });
  }
  ready.close();
  await until('the end of the last', () => rig.groups().length === 0 && launchers().length === 0 && count()[0]! <= before[0]!);
  expect(count()).toEqual(before);
  expect(readdirSync(rig.stage)).toEqual([]);
});
