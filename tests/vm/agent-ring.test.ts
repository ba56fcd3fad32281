// SPDX-License-Identifier: Apache-2.0
// What an agent's own program meets when it does not go through its door: each act is refused, each refusal has a guard with a
// name, and with that guard switched off from outside the same act gets further.
import { beforeAll, describe, expect, it } from 'vitest';
import { openDoor } from './door.ts';
import { denialsSince, journalMark, permissive, withDropIn, withProfiles, type Denial } from './guards.ts';
import { declare, head, logSince, mainPid, root, until } from './machine.ts';
import { changes } from './probe.ts';
import { declareRing, tryInRing } from './ring.ts';

const UNIT = 'holdfast-agent@ring.service';
const PROFILE = 'holdfast-agent-task';
const RUNNER = 'holdfast-runner-task';
const NO_PROFILE = { [PROFILE]: permissive(PROFILE) };
const OWN_DOOR = '/run/holdfast/agents/ring/mcp.sock';
const OTHER_DOOR = '/run/holdfast/agents/worker/mcp.sock';
const OPERATORS = '/run/holdfast/operator.sock';

// R1, R103: what a mediated agent may do with its own hands
const ALLOWED = [`door ${OWN_DOOR}`, 'read /workspace/ring.py', 'read /run/holdfast/agents/ring/AGENTS.md', 'list /workspace', 'create /tmp/x', 'exec /usr/bin/python3', 'see self'];
const FILES = {
  'write /run/holdfast/agents/ring/AGENTS.md': 'EACCES',
  'read /etc/shadow': 'EACCES',
  'read /etc/hostname': 'EACCES',
  'write /etc/passwd': 'EROFS',
  'create /etc/x': 'EROFS',
  'create /usr/x': 'EROFS',
  'mkdir /run/x': 'EROFS',
  'create /workspace/x': 'EROFS',
  'list /run/holdfast': 'EACCES',
  'read /var/lib/holdfast-workspaces/worker': 'ENOENT',
  'read /run/holdfast/declared/agents.json': 'ENOENT',
  'list /var/log/journal': 'ENOENT',
  'list /run/holdfast-safe': 'ENOENT',
  'exec /bin/sh': 'EACCES',
  'exec /usr/lib/holdfast/call-launch': 'EACCES',
  'exec /usr/lib/holdfast/call-init': 'EACCES',
};
const NETWORK = {
  'inet 192.0.2.1': 'EAFNOSUPPORT',
  'inet6 -': 'EAFNOSUPPORT',
  'udp -': 'EAFNOSUPPORT',
  'raw -': 'EAFNOSUPPORT',
  'packet -': 'EAFNOSUPPORT',
  'netlink -': 'EAFNOSUPPORT',
  'vsock -': 'EAFNOSUPPORT',
  'alg -': 'EAFNOSUPPORT',
};
// B01, A17
const SOCKETS = {
  [`operate ${OPERATORS}`]: 'ENOENT',
  [`operate /proc/1/root${OPERATORS}`]: 'ENOENT',
  [`door ${OTHER_DOOR}`]: 'ENOENT',
  'unix /run/holdfast/runners/ring.sock': 'ENOENT',
  'unix /run/holdfast-ledger/append.sock': 'ENOENT',
  'unix /run/dbus/system_bus_socket': 'ENOENT',
  'unix /run/systemd/private': 'ENOENT',
  'abstract holdfast': 'ECONNREFUSED',
};
const CALLS = {
  'userns -': 'EPERM',
  'mountns -': 'EPERM',
  'mount -': 'EPERM',
  'chroot -': 'EPERM',
  'setuid -': 'EPERM',
  'mknod -': 'EPERM',
  'keyctl -': 'EPERM',
  'bpf -': 'EPERM',
  'perf -': 'EPERM',
  'userfaultfd -': 'EPERM',
  'io_uring -': 'EPERM',
  'reboot -': 'EPERM',
  'clock -': 'EPERM',
  'module -': 'EPERM',
  'hostname -': 'EPERM',
};
const KERNEL = {
  'mkdir /sys/fs/cgroup/x': 'EROFS',
  'write /sys/fs/cgroup/agents.slice/pids.max': 'EACCES',
  'write /proc/sys/kernel/core_pattern': 'EACCES',
  'write /proc/sysrq-trigger': 'EACCES',
  'read /proc/kcore': 'EACCES',
  'read /dev/mem': 'ENOENT',
  'read /dev/vda': 'ENOENT',
};
let processes: Record<string, string> = {};
let acts: readonly string[] = [];
let before: Record<string, string> = {};
let denials: readonly Denial[] = [];
let begun = 0;

beforeAll(async () => {
  declare('name: worker\ntype: dev\n');
  declare('name: laptop\ntype: task\n');
  declareRing();
  // The runner has the agent's own uid: file modes do not stand between the two.
  root('systemctl start holdfast-runner@ring.service');
  const [daemon, runner] = [mainPid('holdfastd.service'), mainPid('holdfast-runner@ring.service')];
  processes = {
    [`see ${daemon}`]: 'ENOENT', [`kill ${daemon}`]: 'ESRCH', [`ptrace ${daemon}`]: 'EPERM',
    [`see ${runner}`]: 'ENOENT', [`kill ${runner}`]: 'ESRCH', [`ptrace ${runner}`]: 'EPERM',
    [`read /proc/${runner}/environ`]: 'ENOENT',
  };
  acts = [...ALLOWED, ...[FILES, NETWORK, SOCKETS, CALLS, KERNEL, processes].flatMap((acts) => Object.keys(acts))];
  begun = head();
  const mark = journalMark();
  before = await tryInRing(acts);
  denials = denialsSince(mark);
});

const only = (table: Record<string, string>) => Object.fromEntries(Object.keys(table).map((act) => [act, before[act]]));
const without = (...lines: string[]) => withDropIn(UNIT, lines, () => tryInRing(acts));

describe('the program of a mediated agent', () => {
  it('reaches its door, its workspace to read, its own /tmp and its runtime', () => {
    expect(Object.fromEntries(ALLOWED.map((act) => [act, before[act]]))).toEqual(Object.fromEntries(ALLOWED.map((act) => [act, 'ok'])));
  });

  it('reads and writes no file that is not its own', () => expect(only(FILES)).toEqual(FILES));
  it('has no network', () => expect(only(NETWORK)).toEqual(NETWORK));
  it('reaches nobody else\'s socket', () => expect(only(SOCKETS)).toEqual(SOCKETS));
  it('has no way to more privilege', () => expect(only(CALLS)).toEqual(CALLS));
  it('changes nothing of the kernel', () => expect(only(KERNEL)).toEqual(KERNEL));
  it('sees and touches no process but its own', () => expect(only(processes)).toEqual(processes));

  it('and the kernel keeps a record that names its profile', () => {
    const record = (operation: string, name: string) => expect.objectContaining({ profile: PROFILE, operation, name });
    expect(denials).toContainEqual(record('open', '/etc/hostname'));
    expect(denials).toContainEqual(record('exec', '/usr/bin/dash'));
    expect(denials).toContainEqual(record('exec', '/usr/lib/holdfast/call-launch'));
    expect(denials).toContainEqual(record('exec', '/usr/lib/holdfast/call-init'));
    expect(denials).toContainEqual(record('open', '/run/holdfast/'));
    expect([...new Set(denials.map((denial) => denial.profile))]).toEqual([PROFILE]);
  });
});

describe('who comes to a door is the kernel\'s word (A17, B02)', () => {
  it('the uid of the agent is not enough: its own unit or a login with its key', async () => {
    const uid = root('stat -c %u /var/lib/holdfast-workspaces/worker').trim();
    const hello = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } } });
    const python = `import socket
s = socket.socket(socket.AF_UNIX)
s.connect('${OTHER_DOOR}')
try:
  s.sendall(b'''${hello}\\n''')
  print(s.recv(65536))
except OSError as e:
  print(e)
`;
    const knock = (group: string) => root(
      `mkdir -p /sys/fs/cgroup${group} && sh -c 'echo $$ >/sys/fs/cgroup${group}/cgroup.procs && exec setpriv --reuid ${uid} --regid ${uid} --clear-groups sh -c "echo exec holdfast-agent-dev >/proc/self/attr/exec && exec python3 -"'; rmdir /sys/fs/cgroup${group}`,
      python,
    );
    expect(knock('/system.slice/stranger.service')).not.toContain('result');
    // the same program with the same uid and the same profile, where the agent's own program runs
    expect(knock('/agents.slice/agents-main.slice/agents-main-worker.slice/holdfast-agent@worker.service')).toContain('result');
  });

  it('a key opens its own agent\'s door, whatever it asks ssh for', async () => {
    const seq = head();
    for (const command of [['holdfast', 'mcp', '--agent', 'worker'], ['sh', '-c', 'id'], ['/bin/bash']]) {
      const door = await openDoor('laptop', { command });
      door.close();
      await door.closed;
    }
    await until('three sessions to be recorded', () => logSince(seq, '--kind session.opened').length >= 3);
    expect(logSince(seq, '--kind session.opened').map(({ data }) => `${data['agent']} ${data['via']}`)).toEqual(['laptop remote', 'laptop remote', 'laptop remote']);
  });

  it('descriptors that a client sends along are dropped', async () => {
    const count = () => Number(root(`ls /proc/${mainPid('holdfastd.service')}/fd | wc -l`));
    const held = count();
    const passing = [`passfds ${OWN_DOOR}`, `door ${OWN_DOOR}`];
    expect(await tryInRing(passing)).toEqual({ [passing[0]!]: 'ok', [passing[1]!]: 'ok' });
    await until('holdfastd to hold as many descriptors as before', () => count() === held);
  });
});

describe('with a guard switched off from outside', () => {
  it('the AppArmor profile: it runs shells and reads what any user may', async () => {
    expect(changes(before, await withProfiles(NO_PROFILE, () => tryInRing(acts)))).toEqual({
      'read /etc/hostname': 'EACCES → ok',
      'list /run/holdfast': 'EACCES → ok',
      'exec /bin/sh': 'EACCES → ok',
      'exec /usr/lib/holdfast/call-launch': 'EACCES → ok',
      'exec /usr/lib/holdfast/call-init': 'EACCES → ok',
    });
  });

  it('TemporaryFileSystem=: it sees the sockets, and their modes refuse; without the modes holdfastd does (A17, B01)', async () => {
    expect(await without('TemporaryFileSystem=')).toMatchObject({
      [`operate ${OPERATORS}`]: 'EACCES',
      [`door ${OTHER_DOOR}`]: 'EACCES',
      'unix /run/holdfast/runners/ring.sock': 'EACCES',
      'unix /run/holdfast-ledger/append.sock': 'EACCES',
      'unix /run/dbus/system_bus_socket': 'ok',
      'read /var/lib/holdfast-workspaces/worker': 'EACCES',
      'read /run/holdfast/declared/agents.json': 'ok',
    });
    root(`chmod 666 ${OPERATORS} ${OTHER_DOOR} /run/holdfast/runners/ring.sock; chmod o+x /run/holdfast/agents/worker`);
    try {
      expect(await without('TemporaryFileSystem=')).toMatchObject({
        [`operate ${OPERATORS}`]: 'ECONNREFUSED',
        // Closed before it is read, or before it is written.
        [`door ${OTHER_DOOR}`]: expect.stringMatching(/^(?:ECONNRESET|EPIPE)$/),
        [`door ${OWN_DOOR}`]: 'ok',
      });
    } finally {
      root(`chmod 660 ${OPERATORS} ${OTHER_DOOR} /run/holdfast/runners/ring.sock; chmod o-x /run/holdfast/agents/worker`);
    }
  });

  it('RestrictAddressFamilies=, RestrictNamespaces= and the read-only workspace: the profile refuses, on record', async () => {
    const mark = journalMark();
    const off = ['RestrictAddressFamilies=', 'RestrictNamespaces=no', 'BindReadOnlyPaths=', `BindPaths=/run/holdfast/agents/ring`, 'BindPaths=/var/lib/holdfast-workspaces/ring:/workspace'];
    expect(changes(before, await without(...off))).toEqual({
      ...Object.fromEntries(Object.keys(NETWORK).map((act) => [act, 'EAFNOSUPPORT → EACCES'])),
      'userns -': 'EPERM → EACCES',
      'create /workspace/x': 'EROFS → EACCES',
    });
    const records = denialsSince(mark);
    expect(records).toContainEqual(expect.objectContaining({ profile: PROFILE, operation: 'create', denied: 'create' }));
    expect(records).toContainEqual(expect.objectContaining({ profile: PROFILE, operation: 'userns_create' }));
    expect(records).toContainEqual(expect.objectContaining({ profile: PROFILE, operation: 'mknod', name: '/workspace/x' }));

    // and the profile too: what is left is a network namespace without a route, and no capability
    const open = await withProfiles(NO_PROFILE, () => without(...off));
    expect(open).toMatchObject({
      'inet 192.0.2.1': 'ENETUNREACH', 'inet6 -': 'ok', 'udp -': 'ok', 'netlink -': 'ok', 'raw -': 'EPERM', 'packet -': 'EPERM',
      'userns -': 'ok', 'create /workspace/x': 'ok',
    });
    root('rm -f /var/lib/holdfast-workspaces/ring/x');
  });

  it('SystemCallFilter=: its own errno shows which calls it is that refuses; without it other guards do, and keys can be made', async () => {
    const filtered = ['mount -', 'chroot -', 'setuid -', 'keyctl -', 'bpf -', 'perf -', 'userfaultfd -', 'io_uring -', 'reboot -', 'clock -', 'module -', 'hostname -'];
    const ptraces = Object.keys(processes).filter((act) => act.startsWith('ptrace'));
    expect(changes(before, await without('SystemCallErrorNumber=EUCLEAN'))).toEqual(
      Object.fromEntries([...filtered, ...ptraces].map((act) => [act, 'EPERM → EUCLEAN'])),
    );
    root('sysctl -q -w kernel.io_uring_disabled=0 kernel.perf_event_paranoid=1 vm.unprivileged_userfaultfd=1');
    try {
      const open = changes(before, await without('SystemCallFilter='));
      expect(open).toEqual({
        'mount -': 'EPERM → EACCES',
        'keyctl -': 'EPERM → ok',
        // with the sysctls of the image these three stay refused
        'io_uring -': 'EPERM → ok',
        'perf -': 'EPERM → ok',
        'userfaultfd -': 'EPERM → ok',
        ...Object.fromEntries(ptraces.map((act) => [act, 'EPERM → ESRCH'])),
      });
    } finally {
      root('sysctl -q -w kernel.io_uring_disabled=2 kernel.perf_event_paranoid=3 vm.unprivileged_userfaultfd=0');
    }
  });

  it('PrivatePIDs= and ProtectProc=: it sees its runner; its profile and then the runner\'s keep its hands off', async () => {
    const runner = mainPid('holdfast-runner@ring.service');
    const kill = `kill ${runner}`;
    const visible = () => without('PrivatePIDs=no', 'ProtectProc=default');
    const byProfiles = async (profiles: Readonly<Record<string, string>>) => {
      const mark = journalMark();
      const open = await withProfiles(profiles, visible);
      return { open, signals: denialsSince(mark).filter(({ operation }) => operation === 'signal').map(({ profile }) => profile) };
    };
    const all = await byProfiles({});
    expect(all.open).toMatchObject({ [`see ${runner}`]: 'ok', [kill]: 'EACCES', [`read /proc/${runner}/environ`]: 'EACCES' });
    expect(all.signals).toContain(PROFILE);
    const sender = await byProfiles(NO_PROFILE);
    expect(sender.open).toMatchObject({ [kill]: 'EACCES' });
    expect(sender.signals).toContain(RUNNER);
    expect(sender.signals).not.toContain(PROFILE);
    expect((await byProfiles({ ...NO_PROFILE, [RUNNER]: permissive(RUNNER) })).open).toMatchObject({ [kill]: 'ok' });
  });

  it('its uid: as root, without capabilities, the profile and the read-only kernel files refuse; without these nothing does', async () => {
    const mark = journalMark();
    root('chmod 755 /var/lib/holdfast-workspaces/ring');
    try {
      expect(await without('User=root')).toMatchObject({
        'read /etc/shadow': 'EACCES',
        'write /sys/fs/cgroup/agents.slice/pids.max': 'EROFS',
        'write /proc/sys/kernel/core_pattern': 'EROFS',
        'write /proc/sysrq-trigger': 'EROFS',
        [`door ${OWN_DOOR}`]: expect.stringMatching(/ECONNRESET|EPIPE/),
      });
      expect(denialsSince(mark)).toContainEqual({ profile: PROFILE, operation: 'open', name: '/etc/shadow', denied: 'r' });
      const off = ['User=root', 'ProtectControlGroups=no', 'ProtectKernelTunables=no'];
      expect(await withProfiles(NO_PROFILE, () => without(...off))).toMatchObject({
        'read /etc/shadow': 'ok',
        'write /sys/fs/cgroup/agents.slice/pids.max': 'ok',
        'write /proc/sys/kernel/core_pattern': 'ok',
        'write /proc/sysrq-trigger': 'ok',
        // no switch: dm-verity's erofs is read-only for everybody
        'create /etc/x': 'EROFS',
        'write /etc/passwd': 'EROFS',
      });
    } finally {
      root('chmod 700 /var/lib/holdfast-workspaces/ring');
    }
  });

  it('and who was refused at a door is on record, with a count, within a minute or so', { timeout: 120_000 }, async () => {
    const uid = root('stat -c %u /var/lib/holdfast-workspaces/ring').trim();
    const wanted = [
      new RegExp(`^uid ${uid} is no operator`),
      new RegExp(`^uid ${uid} is not agent worker`),
      /^uid 0 is not agent ring/,
      /^control group \/system\.slice\/stranger\.service is neither/,
    ];
    const refused = () => logSince(begun, '--kind door.refused').map(({ data }) => String(data['why']));
    await until('all four to be recorded', () => wanted.every((why) => refused().some((said) => why.test(said))));
  });
});
