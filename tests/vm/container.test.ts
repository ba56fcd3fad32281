// SPDX-License-Identifier: Apache-2.0
// Containers: rootless Podman, started against a receipt as every call is. What keeps one is looked at from inside and from outside.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callTools, openDoor, type ToolAnswer } from './door.ts';
import { permissive, withDropIn, withProfiles } from './guards.ts';
import { declare, head, holdfast, logSince, root, until } from './machine.ts';
import { IN_TOOL_ROOT, openCallFilter } from './open-filter.ts';
import { bringProbe, changes, probed, stdout } from './probe.ts';

const UNIT = 'holdfast-containers@laptop.service';
const WORKSPACE = '/var/lib/holdfast-workspaces/laptop';
const STATES = '/run/holdfast-containers/laptop/containers';
const INSIDE = 'holdfast-container-task';
const OUTSIDE = 'holdfast-containers-task';
const LABEL = /^holdfast-container-task\/\/&holdfast-containers-task \(enforce\)$/;
let next = 1;
let uid = 0;

type Ask = Record<string, unknown>;
const ask = (script: string, more: Ask = {}) => ({ tool: 'container.run', args: { name: `c${next++}`, program: 'sh', args: ['-c', script], ...more } });

async function run(script: string, more: Ask = {}): Promise<ToolAnswer> {
  return (await callTools('laptop', [ask(script, more)]))[0]!;
}

async function probe(...acts: string[]): Promise<Record<string, string>> {
  const answer = (await callTools('laptop', [
    { tool: 'container.run', args: { name: `c${next++}`, program: '/workspace/probe', args: acts.flatMap((act) => act.split(' ')) } },
  ]))[0]!;
  const got = probed(answer);
  expect(Object.keys(got), answer.text).toEqual(acts);
  return got;
}

/** Nothing of any container of the agent is on the machine. */
function expectNothingLeft(): void {
  // Beside the runners, what they keep ready for calls, and the agent's login.
  expect(root(`for p in $(pgrep -U ${uid}); do tr '\\0' ' ' </proc/$p/cmdline; echo; done | grep -vE '/holdfast-runner |/call-launch |^sshd-session: |/holdfast-shell |holdfast mcp|^$'; true`)).toBe('');
  expect(root(`ls -A ${STATES} 2>/dev/null; true`)).toBe('');
  expect(root(`ls -d /sys/fs/cgroup/agents.slice/agents-main.slice/agents-main-laptop.slice/${UNIT}/call-* 2>/dev/null; true`)).toBe('');
  expect(root(`grep -l ${STATES}/ /proc/[0-9]*/mountinfo 2>/dev/null; find /var/lib/containers /run/containers /run/libpod /run/crun /run/user -mindepth 1 2>/dev/null; find /dev/shm -name '*podman*' -o -name '*libpod*'; true`)).toBe('');
}

beforeAll(async () => {
  declare('name: laptop\ntype: task\n');
  uid = Number(root('id -u agent-laptop'));
  await bringProbe('laptop');
});
beforeEach(() => void root(`rm -f ${WORKSPACE}/made*`));

describe('a container', () => {
  it('runs the baked image with the workspace, is recorded before and after, and is gone', async () => {
    const seq = head();
    const answer = await run('id -u; echo out; echo err >&2; cat; touch /workspace/made; node -p 1+1; git --version; exit 3', { stdin: 'typed\n' });
    expect(answer.data, answer.text).toMatchObject({ exit_code: 3, deadline: false, stderr: { content: 'err\n' } });
    expect(stdout(answer)).toMatch(new RegExp(`^${uid}\\nout\\ntyped\\n2\\ngit version `));
    expect(root(`stat -c %u ${WORKSPACE}/made`)).toBe(`${uid}\n`);
    const [intent, outcome] = logSince(seq, '--agent laptop').filter(({ kind, data }) => kind.startsWith('call.') && data['tool'] === 'container.run');
    expect(intent).toMatchObject({ kind: 'call.intent', data: { tool: 'container.run', capabilities: ['container:run:tools'], rule: 'type-default:container:run:tools' } });
    expect(outcome).toMatchObject({ kind: 'call.outcome', data: { intent: intent!.seq, status: 'error', exit: { code: 3 }, observed: { by: 'cgroup' } } });
    expectNothingLeft();
  });

  it('is refused without its capability, and of an image that is not there it says so', async () => {
    const image = `sha256-${'0'.repeat(64)}`;
    const [other] = await callTools('laptop', [ask('true', { image })]);
    expect(other).toMatchObject({ isError: true, data: { missing: [`container:run:${image}`], may_ask: [`container:run:${image}`] } });
    expect(holdfast(`grant laptop container:run:${image} --for 30s --reason test`).status).toBe(0);
    expect((await run('true', { image })).text).toContain(`there is no image ${image}`);
    expectNothingLeft();
  });

  it('is confined, seen from inside', async () => {
    const answer = await run(`cat /proc/self/attr/current; grep -E '^(NoNewPrivs|CapEff|CapPrm|CapBnd|Seccomp):' /proc/self/status | tr -d '\n\t'; echo
      tr -s ' ' </proc/self/uid_map; for d in / /usr/bin /etc /workspace /tmp /run /dev /dev/shm /proc /sys /var/tmp; do (: >$d/made) 2>/dev/null && echo "writes $d"; done
      ls -d /sys/* /root/* /var/lib/holdfast* /run/holdfast* 2>/dev/null; ls /proc | grep -c '^[0-9]'; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; env | cut -d= -f1 | sort | tr '\n' ' '`);
    const [label, ...rest] = stdout(answer).split('\n');
    expect(label).toMatch(LABEL);
    expect(rest).toEqual([
      'CapPrm:0000000000000000CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1Seccomp:2',
      ` ${uid} 0 1`,
      'writes /workspace', 'writes /tmp', 'writes /run', 'writes /dev/shm',
      // call-init, the shell and what it runs here
      '4',
      'lo',
      'HOME HOSTNAME LANG PATH PWD TERM TMPDIR ',
    ]);
  });

  it('goes on when its caller will not wait; seen from outside it is confined and limited; its end is seen, and nothing is left', async () => {
    const seq = head();
    const door = await openDoor('laptop');
    try {
      const started = await door.call('container.run', { name: 'long', program: 'sh', args: ['-c', 'echo begun; exec sleep 4242'], wait_ms: 0, timeout_ms: 60_000 });
      expect(started).toMatchObject({ isError: false, data: { name: 'long', running: true } });
      await until('the container to write', async () => ((await door.call('container.logs', { name: 'long' })).data['stdout'] as { content?: string } | undefined)?.content === 'begun\n');
      expect((await door.call('container.run', { name: 'long', program: 'true' })).text).toMatch(/a container named long runs already/);

      const pid = root(`pgrep -U ${uid} -f '^sleep 4242'`).trim();
      expect(root(`tr -d '\\0' </proc/${pid}/attr/current; grep -E '^(Uid|CapBnd|NoNewPrivs)' /proc/${pid}/status | tr -s '\\t' ' '`)).toMatch(
        new RegExp(`${LABEL.source.slice(1, -1)}\nUid: ${uid} ${uid} ${uid} ${uid}\nCapBnd: 0{16}\nNoNewPrivs: 1\n$`),
      );
      const group = `/sys/fs/cgroup${root(`sed -n 's/^0:://p' /proc/${pid}/cgroup`).trim()}`;
      expect(group).toMatch(new RegExp(`/agents\\.slice/agents-main\\.slice/agents-main-laptop\\.slice/${UNIT}/call-`));
      expect(root(`cd ${group}; cat memory.max memory.swap.max pids.max`)).toBe(`${(512 + 128) * 2 ** 20}\n0\n104\n`);
      // All that Podman started is the agent's, confined, and in this group.
      expect(root(`for p in $(cat ${group}/cgroup.procs); do echo $(stat -c %u /proc/$p) $(tr -d '\\0' </proc/$p/attr/current); done | sort -u`).split('\n').filter((line) => line !== '').map((line) => line.replace(/ \(enforce\)$/, ''))).toEqual([
        `${uid} holdfast-container-task//&holdfast-containers-task`, `${uid} holdfast-containers-task`,
      ]);
      // Its runner shares no memory and no queue with those of other agents, or with the machine.
      expect(root(`p=$(systemctl show -P MainPID ${UNIT}); [ $(readlink /proc/$p/ns/ipc) != $(readlink /proc/1/ns/ipc) ] && ls -A /proc/$p/root/dev/shm`)).toBe('');
      expect(root(`for n in mnt pid net ipc uts user; do [ $(readlink /proc/${pid}/ns/$n) != $(readlink /proc/1/ns/$n) ] || echo shares $n; done`)).toBe('');
      expect(holdfast('status').stdout).toMatch(new RegExp(`label ${UNIT}.*holdfast-containers-task \\(enforce\\)`));
      expect(logSince(seq, '--agent laptop --kind call.outcome').filter(({ data }) => data['tool'] === 'container.run' && data['status'] !== 'failed')).toEqual([]);

      const stopped = await door.call('container.stop', { name: 'long' });
      expect(stopped).toMatchObject({ isError: false, data: { running: false, ended: { signal: 'SIGKILL', deadline: false }, stdout: { content: 'begun\n' } } });
      expectNothingLeft();
      expect((await door.call('container.logs', { name: 'long' })).data).toMatchObject({ running: false });
      expect((await door.call('container.logs', { name: 'other' }))).toMatchObject({ isError: true });
      const ended = await until('its outcome', () => logSince(seq, '--agent laptop --kind call.outcome').find(({ data }) => data['tool'] === 'container.run' && data['status'] === 'error'));
      expect(ended.data).toMatchObject({ exit: { signal: 'SIGKILL' } });
    } finally {
      door.close();
    }
  });

  it('is held to its memory, its number of processes and its time', async () => {
    const [memory, tasks, time] = await callTools('laptop', [
      { tool: 'container.run', args: { name: 'memory', program: 'python3', args: ['-c', 'b = bytearray(900 << 20)'] } },
      { tool: 'container.run', args: { name: 'tasks', program: 'python3', args: ['-c', `import os, time
n = 0
try:
  while n < 1000:
    if os.fork() == 0: time.sleep(1000)
    n += 1
except OSError as e: print(e.errno, n)`] } },
      ask('setsid sleep 1000 & sleep 1000', { timeout_ms: 12_000 }),
    ]);
    expect(memory!.data, memory!.text).toMatchObject({ exit_code: null, signal: 'SIGKILL' });
    const [errno, count] = stdout(tasks!).trim().split(' ').map(Number);
    expect(errno).toBe(11);
    expect(count).toBeLessThan(104);
    expect(count).toBeGreaterThan(20);
    expect(time!.data).toMatchObject({ deadline: true });
    expectNothingLeft();
  });

  it('does not outlive its runner', async () => {
    const door = await openDoor('laptop');
    try {
      await door.call('container.run', { name: 'left', program: 'sleep', args: ['4243'], wait_ms: 0 });
      await until('the container', () => root(`pgrep -U ${uid} -f '^sleep 4243' || true`) !== '');
      root(`systemctl kill -s KILL --kill-whom=main ${UNIT}`);
      await until('the end of the container', () => root(`pgrep -U ${uid} -f '^sleep 4243' || true`) === '');
      await run('true');
      expectNothingLeft();
    } finally {
      door.close();
    }
  });
});

// R1: what a program may do in any container
const ALLOWED = ['read /workspace/probe', 'exec /bin/sh', 'create /tmp/x', 'create /run/x', 'read /etc/hostname', 'see 1'];
/** C04, C05, C12, C14: by their numbers in system-calls.test.ts; here what is asked for is sound. */
const CALLS = {
  'userns -': 'EPERM', 'mountns -': 'EPERM', 'mount -': 'EPERM', 'chroot -': 'EPERM', 'setuid -': 'EPERM', 'mknod -': 'EPERM', 'hostname -': 'EPERM',
  'keyctl -': 'EPERM', 'bpf -': 'EPERM', 'perf -': 'EPERM', 'io_uring -': 'EPERM', 'userfaultfd -': 'EPERM', 'ptrace -': 'EPERM', 'reboot -': 'EPERM', 'clock -': 'EPERM',
};
/** C12. */
const NETWORK = {
  'inet 192.0.2.1': 'EAFNOSUPPORT', 'inet6 -': 'EAFNOSUPPORT', 'udp -': 'EAFNOSUPPORT', 'raw -': 'EAFNOSUPPORT', 'packet -': 'EAFNOSUPPORT', 'netlink -': 'EAFNOSUPPORT',
  'vsock -': 'EAFNOSUPPORT', 'alg -': 'EAFNOSUPPORT',
};
/** C08, and the doors to a container engine that deepce looks for. */
const SOCKETS = {
  'unix /run/dbus/system_bus_socket': 'ENOENT', 'unix /run/systemd/private': 'ENOENT', 'unix /run/holdfast/operator.sock': 'ENOENT', 'unix /run/holdfast-ledger/append.sock': 'ENOENT',
  'unix /run/holdfast/runners/laptop.containers.sock': 'ENOENT', 'unix /var/run/docker.sock': 'ENOENT', 'unix /run/podman/podman.sock': 'ENOENT', 'unix /run/containerd/containerd.sock': 'ENOENT',
};
/** C06: who is more than its caller. */
const PROGRAMS = {
  'exec /usr/bin/sudo': 'ENOENT', 'exec /usr/bin/pkexec': 'ENOENT', 'exec /usr/bin/newuidmap': 'ENOENT', 'exec /usr/bin/podman': 'ENOENT', 'exec /usr/bin/crun': 'ENOENT', 'exec /usr/bin/mount': 'ENOENT', 'exec /usr/bin/systemctl': 'ENOENT',
};
/** C09, C10: cgroups and the kernel's own files. */
const KERNEL = {
  'mkdir /sys/fs/cgroup/x': 'EROFS', 'write /sys/fs/cgroup/cgroup.procs': 'ENOENT', 'write /sys/fs/cgroup/release_agent': 'ENOENT', 'write /sys/kernel/uevent_helper': 'ENOENT', 'mkdir /sys/x': 'EROFS',
  'read /sys/kernel/debug/x': 'ENOENT', 'read /sys/kernel/tracing/x': 'ENOENT', 'read /sys/fs/bpf': 'ENOENT',
  'write /proc/sysrq-trigger': 'EACCES', 'write /proc/sys/kernel/core_pattern': 'EACCES', 'write /proc/sys/kernel/modprobe': 'EACCES', 'write /proc/sys/fs/binfmt_misc/register': 'ENOENT',
  'read /proc/kcore': 'EACCES', 'read /proc/kallsyms': 'EACCES', 'read /proc/keys': 'EACCES', 'read /proc/timer_list': 'EACCES', 'read /proc/1/mem': 'EACCES', 'read /proc/1/environ': 'EACCES',
  'write /proc/self/attr/current': 'EACCES', 'write /proc/self/oom_score_adj': 'EACCES', 'write /proc/self/uid_map': 'EACCES',
};
/** C10, C12, C16: devices, the image, the machine outside. */
const FILES = {
  'read /dev/mem': 'ENOENT', 'read /dev/kmsg': 'ENOENT', 'read /dev/vda': 'ENOENT', 'read /dev/fuse': 'ENOENT', 'read /dev/loop-control': 'ENOENT', 'read /dev/net/tun': 'ENOENT', 'create /dev/x': 'EROFS',
  'write /usr/bin/git': 'EROFS', 'create /usr/made': 'EROFS', 'create /etc/x': 'EROFS', 'create /x': 'EROFS', 'read /etc/shadow': 'ENOENT', 'write /etc/passwd': 'EROFS',
  'read /proc/1/root/etc/shadow': 'EACCES', 'read /var/lib/holdfast': 'ENOENT', 'read /var/lib/holdfast-workspaces': 'ENOENT', 'read /usr/lib/holdfast/toolroot': 'ENOENT',
};
const TABLES = [CALLS, NETWORK, SOCKETS, PROGRAMS, KERNEL, FILES];
const ACTS = [...ALLOWED, ...TABLES.flatMap((table) => Object.keys(table))];

describe('a hostile container', () => {
  let before: Record<string, string> = {};
  const only = (acts: readonly string[]) => Object.fromEntries(acts.map((act) => [act, before[act]]));

  it('may what any program may', async () => {
    before = await probe(...ACTS);
    expect(only(ALLOWED)).toEqual(Object.fromEntries(ALLOWED.map((act) => [act, 'ok'])));
  });

  it.each([['calls', CALLS], ['network', NETWORK], ['sockets', SOCKETS], ['programs', PROGRAMS], ['kernel', KERNEL], ['files', FILES]])('is refused each of these (C04 to C16): %s', (_, table) => {
    expect(only(Object.keys(table))).toEqual(table);
  });

  const without = (...lines: string[]): Promise<Record<string, string>> => withDropIn(UNIT, lines, async () => {
    root(`systemctl stop ${UNIT}`);
    return probe(...ACTS);
  }).finally(() => root(`systemctl stop ${UNIT}`));
  /** The way into the container's label stays: without it the container would be refused for its label. */
  const NO_PROFILES = { [INSIDE]: permissive(INSIDE), [OUTSIDE]: permissive(OUTSIDE, [`/usr/lib/holdfast/call-init px -> ${OUTSIDE}//&${INSIDE}`]) };

  it('with its AppArmor profiles switched off from outside it reads what the kernel tells of the machine', async () => {
    expect(changes(before, await withProfiles(NO_PROFILES, () => probe(...ACTS)))).toEqual({
      'read /proc/kallsyms': 'EACCES → ok',
      'read /proc/kcore': 'EACCES → ok',
      'read /proc/keys': 'EACCES → ok',
      'read /proc/timer_list': 'EACCES → ok',
      'write /proc/self/attr/current': 'EACCES → ok',
      'write /proc/self/oom_score_adj': 'EACCES → ok',
      'write /proc/self/uid_map': 'EACCES → ok',
    });
  });

  it('with the filters switched off from outside (its own, Podman\'s, the unit\'s) the profiles refuse; with these off too it makes namespaces and sockets', async () => {
    const close = await openCallFilter(IN_TOOL_ROOT);
    root('echo \'{"defaultAction":"SCMP_ACT_ALLOW"}\' >/run/test-seccomp.json && mount --bind /run/test-seccomp.json /usr/lib/holdfast/seccomp.json');
    try {
      const off = ['SystemCallFilter=', 'RestrictAddressFamilies=', 'RestrictNamespaces=no'];
      expect(changes(before, await without(...off))).toEqual({
        ...Object.fromEntries(Object.keys(NETWORK).map((act) => [act, 'EAFNOSUPPORT → EACCES'])),
        'keyctl -': 'EPERM → ok',
        'mount -': 'EPERM → EACCES',
        'perf -': 'EPERM → EACCES',
        // no such user in its namespace
        'setuid -': 'EPERM → EINVAL',
        'userns -': 'EPERM → EACCES',
      });
      expect(await withProfiles(NO_PROFILES, () => without(...off))).toMatchObject({
        'userns -': 'ok', 'keyctl -': 'ok', 'netlink -': 'ok', 'alg -': 'ok', 'udp -': 'ok', 'inet 192.0.2.1': 'ENETUNREACH', 'packet -': 'EPERM', 'raw -': 'EPERM',
        // what no switch is left for
        'mount -': 'EPERM', 'mknod -': 'EPERM', 'create /usr/made': 'EROFS', 'read /dev/mem': 'ENOENT',
      });
    } finally {
      root('umount /usr/lib/holdfast/seccomp.json; rm /run/test-seccomp.json');
      close();
    }
  });
});

describe('what is shipped', () => {
  it('is crun, never runc, of a version with the fixes that concern it', () => {
    // CVE-2025-24965: fixed in 1.20. CVE-2025-31133, -52565, -52881 are runc's: crun opens nothing below /proc after its pivot_root (containers/crun#1906).
    const [, major, minor] = /^crun version (\d+)\.(\d+)/.exec(root('crun --version'))!.map(Number);
    expect(major! * 1000 + minor!).toBeGreaterThanOrEqual(1020);
    expect(root('type -P runc newuidmap newgidmap fuse-overlayfs slirp4netns pasta || true')).toBe('');
    expect(root('podman --version')).toMatch(/^podman version (?:5\.[4-9]|[6-9])/);
  });
});

describe('an agent that lives in a container', () => {
  it('has the tool root for its file system, its door and its workspace to read, and its own profile', async () => {
    declare(`name: homed
type: task
container: tools
program: [/usr/bin/bash, -c, "cat /proc/self/attr/current; id -u; ls -d /usr/bin/systemctl /usr/lib/systemd; for a in homed laptop; do [ ! -S /run/holdfast/agents/$a/mcp.sock ] || echo door $a; done; (: >/workspace/x); (: >/usr/x); node -p 2+2; exec sleep 4244"]
`);
    root('rm -f /var/lib/holdfast-workspaces/homed/*');
    expect(holdfast('agent start homed').status).toBe(0);
    const said = await until('the program', () => {
      const lines = root('journalctl -q -o cat _TRANSPORT=stdout _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID holdfast-agent@homed.service)');
      return lines.endsWith('\n4\n') && lines;
    });
    expect(said).toContain('holdfast-home (enforce)\n');
    expect(said).toContain(`${root('stat -c %u /var/lib/holdfast-workspaces/homed').trim()}\n`);
    // Of the appliance's own programs there is none; of the doors there is its own.
    expect(said).not.toMatch(/^\/usr\/(?:bin\/systemctl|lib\/systemd)$/m);
    expect(said.match(/^door .*$/gm)).toEqual(['door homed']);
    expect(said.match(/(?:Read-only file system|Permission denied)/g)).toHaveLength(2);
    expect(holdfast('status').stdout).toMatch(/label holdfast-agent@homed\.service.*holdfast-home \(enforce\)/);
    expect(holdfast('agent stop homed').status).toBe(0);
  });

  it('and contained, runs what the tool root has, and starts its tools', async () => {
    declare(`name: homed
type: dev
mode: contained
container: tools
program: [/usr/bin/bash, -c, "cat /proc/self/attr/current; node -p 2+2; python3 -c 'import ssl; print(ssl.create_default_context().protocol.name)'; git --version; holdfast mcp --agent homed </dev/null; echo ended $?; exec sleep 4245"]
`);
    expect(holdfast('agent start homed').status).toBe(0);
    const said = await until('the program', () => {
      const lines = root('journalctl -q -o cat _TRANSPORT=stdout _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID holdfast-agent@homed.service)');
      return /^ended \d+$/m.test(lines) && lines;
    });
    expect(said.trim().split('\n')).toEqual(['holdfast-agent-dev-contained (enforce)', '4', 'PROTOCOL_TLS_CLIENT', expect.stringMatching(/^git version 2/), 'ended 0']);
    expect(holdfast('agent stop homed').status).toBe(0);
  });
});
