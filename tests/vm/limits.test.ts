// SPDX-License-Identifier: Apache-2.0
// One agent takes all it can of one thing (C01, C02, B22; R31, R37): the limit that is named for it holds, by the kernel's own count,
// and meanwhile the calls of another agent, sshd and the host agent answer.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type ToolAnswer } from './door.ts';
import { asRoot, declare, holdfast, root, until } from './machine.ts';
import { bringProgram, stdout } from './probe.ts';

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 6);
const MIB = 1024 ** 2;
const SLICE = '/sys/fs/cgroup/agents.slice/agents-main.slice/agents-main-worker.slice';
const CALLS = `${SLICE}/holdfast-runner@worker.service`;
const FILES = '/var/lib/holdfast-workspaces/worker';
// Narrower than its type, so that each end is met in seconds.
const HOG = 'name: worker\ntype: dev\nlimits: {tasks: 100, memory: 256M}\nslice: {memory: 512M, disk: 128M, io: 10M}\n';

let neighbour: Door;
let idle: number[] = [];

beforeAll(async () => {
  declare('name: worker\ntype: dev\n');
  // Its slice lives when it is narrowed, so what holds is what holds for calls that go on.
  const before = await openDoor('worker');
  await before.call('fs.list', { path: '/workspace' });
  declare(HOG);
  before.close();
  declare('name: laptop\ntype: task\n');
  await bringProgram('worker', 'hog');
  neighbour = await openDoor('laptop');
  await calls(3);
  // Its slice is there from the first call on.
  expect(await taken('none')).toBe('');
  idle = await calls(COUNT);
});

afterAll(() => {
  neighbour?.close();
  // Its disk, and the processes of a test that failed.
  asRoot(`systemctl stop holdfast-runner@worker.service; find ${FILES} -name 'hog-*' -delete`);
  declare('name: worker\ntype: dev\n');
});

/** How long each of `n` calls of the other agent took, in milliseconds. */
async function calls(n: number): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < n; i++) {
    const start = performance.now();
    const answer = await neighbour.call('fs.list', { path: '/workspace' });
    took.push(performance.now() - start);
    expect(answer.isError, answer.text).toBe(false);
  }
  return took;
}

/**
 * `make soak GROUP=limits` holds what is promised: 99 of 100 calls within three times the idle figure. Of a few calls, with another machine on the same
 * processors, only that the others are served at all can be told: half of them within twenty times.
 */
const [PART, MOST] = COUNT >= 100 ? [0.99, 3] : [0.5, 20];
const typical = (took: readonly number[]) => [...took].sort((a, b) => a - b)[Math.ceil(took.length * PART) - 1]!;
const shown = (took: readonly number[]) => took.map((ms) => Math.round(ms)).join(' ');

/** Figures of a file of the kernel's such as memory.events; those of a slice count for all below it, also for groups that are gone. */
function figures(file: string): Record<string, number> {
  return Object.fromEntries([...root(`cat ${SLICE}/${file}`).matchAll(/(\w+)[ =](\d+)/g)].map((m) => [m[1]!, Number(m[2])]));
}

type Hog = { readonly answer: Promise<ToolAnswer | null>; readonly end: () => Promise<void> };

/** Starts a hog that ends when its client goes. */
async function start(kind: string): Promise<Hog> {
  const door = await openDoor('worker');
  const answer = door.call('process.run', { program: 'env', args: ['/workspace/hog', kind], timeout_ms: 120_000 }).catch(() => null);
  await until('the hog to run', () => asRoot(`pgrep -f '^/workspace/hog ${kind}$' >/dev/null`).status === 0);
  return {
    answer,
    end: async () => {
      door.close();
      await until('its call to be gone', () => asRoot(`test -z "$(ls -d ${CALLS}/call-* 2>/dev/null)"`).status === 0);
    },
  };
}

/** What a hog says that is stopped: an errno, or the signal of the kernel that ended it. */
async function taken(kind: string): Promise<string> {
  const door = await openDoor('worker');
  const answer = await door.call('process.run', { program: 'env', args: ['/workspace/hog', kind], timeout_ms: 100_000 });
  door.close();
  return `${stdout(answer)}${answer.text.includes('SIGKILL') ? 'SIGKILL' : ''}`.trim();
}

/** The neighbour's calls, sshd and the host agent while `during` goes on. */
async function othersGoOn(what: string): Promise<void> {
  const took = await calls(COUNT);
  console.log(`${what}: idle ${shown(idle)} ms; now ${shown(took)} ms; p${100 * PART} ${(typical(took) / typical(idle)).toFixed(2)} of idle`);
  expect(typical(took), `${what}: ${shown(took)} against ${shown(idle)} ms`).toBeLessThanOrEqual(MOST * typical(idle));
  expect(root('echo here')).toBe('here\n');
  expect(holdfast('agent list').status).toBe(0);
}

describe('what an agent can take', () => {
  it('its units carry what its type and its file say', () => {
    expect(root(`cat ${SLICE}/pids.max ${SLICE}/memory.max ${SLICE}/memory.swap.max ${SLICE}/cpu.max ${SLICE}/io.max`).trim().split('\n')).toEqual([
      '1024', String(512 * MIB), '0', '30000 20000', expect.stringMatching(/^\d+:\d+ rbps=10485760 wbps=10485760 riops=max wiops=max$/),
    ]);
    expect(root(`xfs_quota -x -c "quota -u -b -i -N -v $(stat -c %u ${FILES})" /var`).trim().split(/\s+/)).toEqual(
      expect.arrayContaining([String(128 * 1024), '16384']),
    );
    expect(root('cat /proc/swaps').trim().split('\n')).toHaveLength(1);
  });

  it('a fork bomb: pids.max', async () => {
    const before = figures('pids.events')['max']!;
    const hog = await start('fork');
    try {
      await until('the bomb to meet its limit', () => figures('pids.events')['max']! > before);
      await othersGoOn('fork');
      expect(Number(root(`cat ${SLICE}/pids.current`))).toBeLessThan(160);
    } finally {
      await hog.end();
    }
    expect(asRoot("pgrep -f '^/workspace/hog'").status).toBe(1);
  });

  it('processor time: its weight', async () => {
    const hog = await start('cpu');
    try {
      await until('it to use both processors', () => {
        const [a, b] = root(`grep -h usage_usec ${SLICE}/cpu.stat; sleep 1; grep -h usage_usec ${SLICE}/cpu.stat`).match(/\d+/g)!.map(Number);
        return b! - a! > 1_200_000;
      });
      await othersGoOn('cpu');
    } finally {
      await hog.end();
    }
  });

  it.each(['touch', 'memfd', 'unix'])('memory by %s: memory.max of the call, and nobody else is ended', async (kind) => {
    const before = figures('memory.events');
    const runner = root('systemctl show -P MainPID holdfast-runner@worker.service');
    const [said] = await Promise.all([taken(kind), othersGoOn(kind)]);
    const after = figures('memory.events');
    expect(said).toContain('SIGKILL');
    expect(after['oom_group_kill']! - before['oom_group_kill']!).toBe(1);
    expect(root('systemctl show -P MainPID holdfast-runner@worker.service')).toBe(runner);
  });

  it('control groups: cgroup.max.descendants of its runner, which the runner cannot widen', () => {
    const asAgent = `setpriv --reuid $(stat -c %u ${FILES}) --regid $(stat -c %u ${FILES}) --clear-groups`;
    const made = (): number => Number(root('bash -s', `cd ${CALLS}; ${asAgent} bash -c 'for i in $(seq 300); do mkdir x$i 2>/tmp/test-why || break; done; ls -d x* | wc -l; rmdir x*'`));
    expect(root(`cat ${CALLS}/cgroup.max.descendants`)).toBe('128\n');
    expect(asRoot(`${asAgent} sh -c 'echo max >${CALLS}/cgroup.max.descendants'`).stderr).toContain('Permission denied');
    const [held, why] = [made(), root('cat /tmp/test-why')];
    expect(held).toBeGreaterThan(64);
    expect(held).toBeLessThanOrEqual(128);
    expect(why).toContain('Resource temporarily unavailable');
    root(`echo max >${CALLS}/cgroup.max.descendants`);
    expect(made()).toBe(300);
    root(`echo 128 >${CALLS}/cgroup.max.descendants; rm -f /tmp/test-why`);
  });

  it('memory of a tmpfs: its size', async () => {
    expect(await taken('tmpfs')).toBe('stopped ENOSPC');
  });

  // keys: the filter of system calls; pipes: fs.pipe-user-pages-hard; inotify: its instances; epoll: descriptors (R37)
  it.each([['keys', 'EPERM'], ['pipe', 'ENFILE'], ['inotify', 'EMFILE'], ['epoll', 'EMFILE']])('%s: %s', async (kind, errno) => {
    expect((await taken(kind)).split('\n')[0]).toBe(`stopped ${errno}`);
  });

  it('the disk: the quota of its uid, at the speed of its slice', async () => {
    const written = (): number => figures('io.stat')['wbytes'] ?? 0;
    const hog = await start('disk');
    await othersGoOn('disk');
    const answer = await hog.answer;
    await hog.end();
    expect(stdout(answer!)).toBe('stopped EDQUOT\n');
    expect(Number(root(`du -sm ${FILES}`).split('\t')[0])).toBeLessThanOrEqual(129);
    // The record goes on, and so do the files of others.
    expect(await neighbour.call('fs.write', { path: '/workspace/small', text: 'x' })).toMatchObject({ isError: false });
    // What fits into memory is written behind the writer's back, and counted to its slice all the same.
    root(`rm -f ${FILES}/hog-*; systemd-run -q --slice=agents-main-worker.slice --unit=test-writer sh -c 'dd if=/dev/zero of=${FILES}/hog-dd bs=1M count=100 oflag=direct'`);
    const [a, b] = [(root('sleep 1'), written()), (root('sleep 4'), written())];
    root('systemctl stop test-writer');
    expect((b - a) / 4, `${a} ${b}`).toBeGreaterThan(2 * MIB);
    expect((b - a) / 4, `${a} ${b}`).toBeLessThan(13 * MIB);
    root(`rm -f ${FILES}/hog-*`);
  });

  it('files: the quota counts them too', async () => {
    // The kernel gives back what was deleted in its own time, and a restore point of the next call needs room too.
    await until('the room of what was deleted', () => Number(root(`xfs_quota -x -c "quota -u -b -N -v $(stat -c %u ${FILES})" /var`).trim().split(/\s+/)[1]) < 32 * 1024);
    const said = await taken('files');
    expect(said, said).toBe('stopped EDQUOT');
    root(`find ${FILES} -name 'hog-*' -delete`);
  });

  it('requests: one agent asks as fast as it can (B22)', async () => {
    const door = await openDoor('worker');
    let going = true;
    const flood = (async () => {
      for (let id = 1000; going; id++) {
        if (!door.write(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"fs.stat","arguments":{"path":"/workspace"}}}\n`)) await door.drained();
      }
    })();
    try {
      await othersGoOn('requests');
    } finally {
      going = false;
      door.close();
      await flood;
    }
  });
});

describe('with a limit switched off from outside', () => {
  it('what it held is taken', async () => {
    // the positive control of the disk: without its unit's command there is no quota, and the same writer gets further
    root(`xfs_quota -x -c "limit -u bhard=0 ihard=0 $(stat -c %u ${FILES})" /var`);
    try {
      const hog = await start('disk');
      await until('it to write more than its room', () => Number(root(`du -sm ${FILES}`).split('\t')[0]) > 140);
      await hog.end();
    } finally {
      root(`find ${FILES} -name 'hog-*' -delete; systemctl start holdfast-quota@worker.service`);
    }
  });

  it('the bomb outgrows its call when only its slice holds it', async () => {
    const hog = await start('fork');
    try {
      root(`for call in ${CALLS}/call-*; do echo max >$call/pids.max; done`);
      await until('more processes than the call may have', () => Number(root(`cat ${SLICE}/pids.current`)) > 160);
    } finally {
      await hog.end();
    }
  });
});
