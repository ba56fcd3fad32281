// SPDX-License-Identifier: Apache-2.0
// What a hostile agent tries of docs/attacks.md, with a static program that tries each act by itself: inside a call, inside a container, as the own
// program of a contained agent, and in the place of its runner. Outside, as root, the same program can do it: that is the control of each line.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTools, openDoor } from './door.ts';
import { permissive, withDropIn, withProfiles } from './guards.ts';
import { asRoot, declare, holdfast, mainPid, revokeAll, root, until } from './machine.ts';
import { probed, results } from './probe.ts';
import { AGENT, declareHostile, HOME, outside, OWN_UNIT, printed, probe, tried, type View } from './views.ts';

const SLICE = `/sys/fs/cgroup/agents.slice/agents-main.slice/agents-main-${AGENT}.slice`;
const VIEWS: readonly View[] = ['call', 'container', 'contained', 'runner', 'outside'];

// act, its argument, and what a call, a container, a contained agent, a runner and root outside are told; - is not tried, for it would change the machine
const LINES: Readonly<Record<string, string>> = {
  // A runner may make user namespaces, as it must; nothing of an agent's runs there.
  'no namespace is made or entered (C04)': `
    userns    -                   EPERM   EPERM   EPERM   ok      ok
    clone     -                   EPERM   EPERM   EPERM   ok      ok
    clone3    -                   ENOSYS  ENOSYS  ENOSYS  ok      ok
    mountns   -                   EPERM   EPERM   EPERM   EPERM   ok
    setns     /proc/self/ns/net   EPERM   EPERM   EPERM   EPERM   ok
    setns     /proc/1/ns/mnt      EACCES  EACCES  ENOENT  ENOENT  ok`,
  'no program gives more than its caller has (C06)': `
    suid /workspace/as-root       EPERM   EPERM   EPERM   EPERM   -
    suid /workspace/with-caps     EPERM   EPERM   EPERM   EPERM   -
    suid /usr/bin/su              EPERM   EPERM   EPERM   EPERM   EPERM
    exec /usr/bin/sudo            ENOENT  ENOENT  ENOENT  ENOENT  ENOENT
    exec /usr/bin/pkexec          ENOENT  ENOENT  ENOENT  ENOENT  ENOENT
    exec /usr/bin/newuidmap       ENOENT  ENOENT  ENOENT  ENOENT  ENOENT
    setuid -                      EPERM   EPERM   EPERM   EPERM   ok`,
  'no control group is left, made or widened (C09)': `
    mkdir /sys/fs/cgroup/x                              ENOENT  EROFS   EROFS   EACCES  -
    cgroup2 -                                           EPERM   EPERM   EPERM   EPERM   ok
    write /sys/fs/cgroup/cgroup.procs                   ENOENT  ENOENT  EACCES  EACCES  ok
    write /sys/fs/cgroup/system.slice/cgroup.procs      ENOENT  ENOENT  EACCES  EACCES  ok
    write /sys/fs/cgroup/agents.slice/cgroup.procs      ENOENT  ENOENT  EACCES  EACCES  ok
    write ${SLICE}/pids.max       ENOENT  ENOENT  EACCES  EACCES  ok
    write ${SLICE}/cgroup.freeze  ENOENT  ENOENT  EACCES  EACCES  ok
    write ${SLICE}/cgroup.kill    ENOENT  ENOENT  EACCES  EACCES  ok`,
  'no file of the kernel is written, nor what it keeps secret read (C10)': `
    write /proc/sysrq-trigger                 EACCES  EACCES  EACCES  EACCES  ok
    write /proc/sys/kernel/core_pattern       EACCES  EACCES  EACCES  EACCES  ok
    write /proc/sys/kernel/modprobe           EACCES  EACCES  EACCES  EACCES  ok
    write /proc/sys/vm/panic_on_oom           EACCES  EACCES  EACCES  EACCES  ok
    write /proc/sys/fs/binfmt_misc/register   ENOENT  ENOENT  ENOENT  ENOENT  ENOENT
    write /sys/kernel/uevent_helper           ENOENT  ENOENT  ENOENT  ENOENT  ENOENT
    write /proc/self/attr/current             EROFS   EACCES  EACCES  EACCES  ok
    write /proc/self/oom_score_adj            EROFS   EACCES  EACCES  EACCES  ok
    read  /proc/kcore                         EACCES  EACCES  EACCES  EACCES  ok
    read  /proc/kmsg                          EACCES  EACCES  EACCES  EACCES  ok
    read  /proc/kallsyms                      EACCES  EACCES  EACCES  EACCES  ok
    read  /proc/keys                          EACCES  EACCES  EACCES  EACCES  ok
    read  /proc/timer_list                    EACCES  EACCES  EACCES  EACCES  ok
    read  /dev/mem                            ENOENT  ENOENT  ENOENT  ENOENT  EPERM
    read  /dev/port                           ENOENT  ENOENT  ENOENT  ENOENT  EPERM
    read  /dev/kmsg                           ENOENT  ENOENT  ENOENT  ENOENT  ok
    read  /sys/fs/bpf                         ENOENT  ENOENT  EACCES  EACCES  ok
    read  /sys/kernel/tracing                 ENOENT  ENOENT  EACCES  EACCES  ok
    read  /sys/kernel/debug                   ENOENT  ENOENT  ENOENT  ENOENT  ENOENT
    read  /sys/kernel/security                ENOENT  ENOENT  EACCES  EACCES  ok
    read  /sys/firmware                       ENOENT  ENOENT  EACCES  EACCES  ok`,
  'no device is there, and none is made (C12)': `
    mknod     -                   EPERM   EPERM   EPERM   EPERM   ok
    mknodchar -                   EPERM   EPERM   EPERM   EPERM   ok
    read /dev/vda                 ENOENT  ENOENT  ENOENT  ENOENT  ok
    read /dev/loop-control        ENOENT  ENOENT  ENOENT  ENOENT  ok
    read /dev/fuse                ENOENT  ENOENT  ENOENT  ENOENT  ok
    read /dev/net/tun             ENOENT  ENOENT  ENOENT  ENOENT  ok
    read /dev/vsock               ENOENT  ENOENT  ENOENT  ENOENT  ok
    read /dev/mapper/control      ENOENT  ENOENT  ENOENT  ENOENT  ok
    read /dev/rtc0                ENOENT  ENOENT  ENOENT  ENOENT  ok`,
  'nothing is typed for anybody else (C14)': `
    tiocsti   -                   EPERM   EPERM   EACCES  EIO     ok
    tioclinux -                   ENOENT  ENOENT  ENOENT  ENOENT  ok
    terminal  -                   ENOENT  ENOENT  ENOENT  ENOENT  ok
    read /dev/tty                 ENXIO   ENXIO   ENXIO   ENXIO   ENXIO`,
  // /dev/vda1 is the ESP, mounted by the time root looks: the kernel lets no mounted disk be written past its file system, nor root.
  'the image, its disk and what starts the machine stay as they are (C16)': `
    create /usr/x                            EROFS   EROFS   EROFS   EROFS   EROFS
    create /etc/x                            EROFS   EROFS   EROFS   EROFS   EROFS
    create /etc/ld.so.preload                EROFS   EROFS   EROFS   EROFS   EROFS
    write  /usr/bin/true                     EROFS   EROFS   EROFS   EROFS   EROFS
    write  /usr/lib/holdfast/call-init       EROFS   EROFS   EROFS   EROFS   EROFS
    create /boot/x                           ENOENT  ENOENT  EACCES  EACCES  -
    create /run/systemd/system/x.service     ENOENT  ENOENT  ENOENT  ENOENT  -
    create /var/x                            ENOENT  EROFS   EROFS   EROFS   -
    create /root/x                           ENOENT  EACCES  EACCES  EACCES  EROFS
    read   /dev/dm-0                         ENOENT  ENOENT  ENOENT  ENOENT  ok
    write  /dev/dm-0                         ENOENT  ENOENT  ENOENT  ENOENT  EBUSY
    write  /dev/vda1                         ENOENT  ENOENT  ENOENT  ENOENT  EBUSY`,
  'no core file is written, and no memory of another process read (C17)': `
    core       -                  EPERM   EPERM   EPERM   EPERM   ok
    siblingmem -                  EROFS   EACCES  ENOENT  ENOENT  ok
    read /proc/1/mem              EACCES  EACCES  ENOENT  ENOENT  ok
    read /proc/1/environ          EACCES  EACCES  ENOENT  ENOENT  ok`,
  'nobody\'s /tmp is shared (C18)': `
    read   /tmp/outside           ENOENT  ENOENT  ENOENT  ENOENT  ok
    create /tmp/inside            ok      ok      ok      ok      -`,
  'nobody outside is met: abstract sockets, System V, POSIX queues, shared memory (C13)': `
    abstract meet4846             ECONNREFUSED ECONNREFUSED ECONNREFUSED ECONNREFUSED ok
    shm      4846                 ENOENT  ENOENT  ENOENT  ENOENT  ok
    msg      4846                 ENOENT  ENOENT  ENOENT  ENOENT  ok
    sem      4846                 ENOENT  ENOENT  ENOENT  ENOENT  ok
    mq       /meet4846            ENOENT  ENOENT  ENOENT  ENOENT  ok
    read     /dev/shm/meet4846    ENOENT  ENOENT  ENOENT  ENOENT  ok`,
  // An agent's own program and its runner are in the first user namespace, without a capability in it.
  'what deepce, CDK and amicontained look for is not there (C20)': `
    has capability                ENOENT  ENOENT  ENOENT  ENOENT  ok
    has no-filter                 ENOENT  ENOENT  ENOENT  ENOENT  ok
    has new-privileges            ENOENT  ENOENT  ENOENT  ENOENT  ok
    has no-profile                ENOENT  ENOENT  ENOENT  ENOENT  ok
    has host-processes            ENOENT  ENOENT  ENOENT  ENOENT  ok
    has others-processes          ENOENT  ENOENT  ENOENT  ENOENT  ok
    has interface                 ENOENT  ENOENT  ENOENT  ENOENT  ok
    has named-sockets             ENOENT  ok      ENOENT  ENOENT  ok
    has all-users                 ENOENT  ENOENT  ok      ok      ok
    has secret-in-environment     ENOENT  ENOENT  ENOENT  ENOENT  ok
    has group                     ENOENT  ENOENT  ENOENT  ENOENT  ok
    has fixed-addresses           ENOENT  ENOENT  ENOENT  ENOENT  ENOENT
    lies writable                 ENOENT  ok      ENOENT  ENOENT  ok
    lies socket                   ENOENT  ENOENT  ENOENT  ENOENT  ok
    lies device                   ENOENT  ENOENT  ENOENT  ENOENT  ok
    lies secret                   ENOENT  ENOENT  ENOENT  ENOENT  ok`,
};

type Line = { readonly act: string; readonly wanted: Readonly<Record<View, string>> };

function linesOf(table: string): readonly Line[] {
  return table.trim().split('\n').map((line) => {
    const [act, arg, ...answers] = line.trim().split(/\s+/);
    return { act: `${act} ${arg}`, wanted: Object.fromEntries(VIEWS.map((view, i) => [view, answers[i]!])) as Record<View, string> };
  });
}

const asked = (view: View) => Object.values(LINES).flatMap(linesOf).filter(({ wanted }) => wanted[view] !== '-').map(({ act }) => act);
const MEETING = linesOf(LINES['nobody outside is met: abstract sockets, System V, POSIX queues, shared memory (C13)']!).map(({ act }) => act);
/** Every socket that somebody listens on outside, seen by root; the agent's own door is its own. */
let sockets: readonly string[] = [];
const FAMILIES = Array.from({ length: 46 }, (_, i) => `family ${i}`);
const INSIDE = ['call', 'container', 'contained', 'runner'] as const;
const SHOWN = {} as Record<View, string>;
const SEEN = {} as Record<View, Record<string, string>>;

/** Run as the agent's own user, outside. */
const AS_USER = `setpriv --reuid $(stat -c %u ${HOME}) --regid $(stat -c %u ${HOME}) --clear-groups`;
const SET_ID = 'cp probe as-root; cp probe with-caps; chmod 4755 as-root; python3 -c "import os, struct; os.setxattr(\'with-caps\', \'security.capability\', struct.pack(\'<IIIII\', 0x02000001, 0x200000, 0, 0, 0))"';

// --- a flag that everybody may read: what keeps an agent from it is no file mode
const TOKEN = `FLAG{${randomBytes(6).toString('hex')}}`;
const HELPER = '/run/naive/helper';
let tricks: readonly (readonly [name: string, arg: string])[] = [];

function plant(): void {
  // One process of the agent's own user holds the flag too, and one of root's gives it to whoever asks.
  root('bash -s', `cd ${HOME}; ${SET_ID}; echo x >/tmp/outside; chmod 666 /tmp/outside; rm -f /tmp/inside
echo '${TOKEN}' | tee /run/flag >/var/flag; chmod 644 /run/flag /var/flag; sync
cat >/run/flag-server.py <<'END'
import socket, threading
def serve(where):
    s = socket.socket(socket.AF_UNIX); s.bind(where); s.listen(8)
    while True:
        c = s.accept()[0]
        try: c.sendall(open(c.recv(99).decode().strip()).read().encode())
        except OSError: pass
        c.close()
threading.Thread(target=serve, args=('\\0flag-shim',)).start()
serve('/run/flag.sock')
END
systemd-run -q --unit=flag-server python3 -I /run/flag-server.py
systemd-run -q --unit=flag-holder --uid=$(stat -c %u ${HOME}) -E 'FLAG=${TOKEN}' bash -c 'exec 5</run/flag; exec sleep infinity'
sleep 2; chmod 666 /run/flag.sock`);
  const handle = outside(`./escapes handle-of /var/flag; ./escapes keep-key '${TOKEN}'; ${AS_USER} ./escapes keep-key '${TOKEN}'; setsid ./probe plant meet4846 wait 900 >/dev/null 2>&1 & for _ in $(seq 300); do [ -e /dev/shm/meet4846 ] && break; sleep 0.2; done`).trim();
  const disk = root('findmnt -no MAJ:MIN /var; findmnt -no SOURCE /var').trim().split('\n').map((word) => word.trim());
  tricks = [
    ...['exe', 'chroot', 'proc-root', 'proc-fd', 'leaked-fd', 'environ', 'memory', 'ptrace', 'setns', 'pidfd', 'tree', 'keyring'].map((name) => [name, '-'] as const),
    ['handle', handle], ['disk', disk[0]!], ['raw-disk', disk[1]!], ['socket', '/run/flag.sock'], ['abstract', 'flag-shim'],
    ['mount', '/tmp/mounted'], ['release-agent', HELPER], ['core-pattern', HELPER], ['modprobe', HELPER],
  ];
}

beforeAll(async () => {
  await declareHostile('probe', 'escapes');
  declare('name: laptop\ntype: task\n');
  // Its device comes with its driver, which nothing else on the machine has asked for yet.
  root('modprobe vsock');
  plant();
  sockets = root(`find /run /var /tmp -xdev -type s; awk '$NF ~ /^@/ { print $NF }' /proc/net/unix`).trim().split('\n').filter((path) => !path.includes(`/${AGENT}`));
  for (const view of VIEWS) {
    const acts = [...asked(view), ...FAMILIES, ...sockets.map((path) => `unix ${path}`), 'lies setid'];
    SHOWN[view] = await printed(view, probe(acts), ...(view === 'outside' ? [] : [['escapes', ...tricks.flat()]]));
    SEEN[view] = results(SHOWN[view]);
  }
});

afterAll(() => {
  asRoot(`systemctl stop flag-server flag-holder holdfast-runner@${AGENT}.service ${OWN_UNIT}; pkill -f '^./probe plant'; ipcrm -M 0x4846 -Q 0x4846 -S 0x4846
rm -f /run/flag* /var/flag /dev/mqueue/meet4846 /dev/shm/meet4846 /tmp/outside; sysctl -qw "kernel.core_pattern=|/bin/false" kernel.modprobe=/sbin/modprobe; find ${HOME} -mindepth 1 -delete`);
  revokeAll(AGENT);
  declare(`name: ${AGENT}\ntype: dev\n`);
});

describe.each(VIEWS)('as %s', (view) => {
  it.each(Object.entries(LINES))('%s', (_, table) => {
    const lines = linesOf(table).filter(({ wanted }) => wanted[view] !== '-');
    expect(Object.fromEntries(lines.map(({ act }) => [act, SEEN[view][act]]))).toEqual(Object.fromEntries(lines.map(({ act, wanted }) => [act, wanted[view]])));
  });
});

describe('what is counted out of the machine itself', () => {
  it('no socket that listens outside is reached: systemd, its varlink, D-Bus, the journal, udev, ours (C08)', () => {
    // Absent, nobody's in this network namespace, or refused by its mode (the ledger's folder, where a runner reads a key).
    const reached = (view: View) => sockets.filter((path) => !['ENOENT', 'ECONNREFUSED', 'EACCES'].includes(SEEN[view][`unix ${path}`] ?? 'unasked'));
    expect(reached('outside')).toEqual(expect.arrayContaining(['/run/systemd/private', '/run/dbus/system_bus_socket', '/run/systemd/io.systemd.ManagedOOM', '/run/holdfast/operator.sock']));
    expect(reached('outside').length).toBeGreaterThan(15);
    // Where a runner takes a secret for a call: who has taken its place is heard, and gets none without a recorded permit that names it.
    for (const view of INSIDE) expect(reached(view), view).toEqual(view === 'runner' ? ['/run/holdfast-secret-call/call.sock'] : []);
  });

  it('no family of sockets but AF_UNIX, and AF_INET where a relay listens (C12)', () => {
    const made = (view: View) => FAMILIES.filter((family) => SEEN[view][family] !== 'EAFNOSUPPORT');
    expect(made('outside').length).toBeGreaterThan(8);
    // The unit of an agent of type `dev` may be granted a network: what it reaches is tests/vm/egress.test.ts.
    for (const view of INSIDE) expect(made(view), view).toEqual(view === 'contained' ? ['family 1', 'family 2'] : ['family 1']);
  });

  it('of set-user-id programs those that root put there for this test, and no other (C06, C20)', () => {
    const found = (view: View) => SHOWN[view].split('\n').filter((line) => line.startsWith('# setid ')).map((line) => line.slice(8)).sort();
    for (const view of INSIDE) expect(found(view), view).toEqual(['/workspace/as-root', '/workspace/with-caps']);
    expect(found('outside')).toEqual([`${HOME}/as-root`, `${HOME}/with-caps`]);
  });
});

it('such a program makes root of its caller elsewhere: nosuid and no-new-privileges keep it from that, each alone (C06)', () => {
  const elsewhere = outside(`${SET_ID}
for with in '' --no-new-privs; do ${AS_USER} $with ./probe suid ./as-root suid ./with-caps; done; mount -o remount,nosuid /run/test-outside; ${AS_USER} ./probe suid ./as-root suid ./with-caps`);
  expect([...elsewhere.matchAll(/^suid .* (\w+)$/gm)].map((m) => m[1])).toEqual(['ok', 'ok', 'EPERM', 'EPERM', 'EPERM', 'EPERM']);
});

it('systemd, asked by the agent\'s user where there is a bus, starts, stops and changes nothing, and reboots nobody (C08)', () => {
  const manager = 'org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager';
  const start = (unit: string) => `${manager} StartTransientUnit 'ssa(sv)a(sa(sv))' ${unit} fail 1 ExecStart 'a(sasb)' 1 /usr/bin/true 1 /usr/bin/true false 0`;
  const calls = [
    start('evil.service'), `${manager} SetUnitProperties 'sba(sv)' ${OWN_UNIT} true 1 TasksMax t 9999`, `${manager} StopUnit ss ssh.service replace`,
    `${manager} SetEnvironment as 1 A=b`, `${manager} Reboot`, 'org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager Reboot b false',
  ];
  const said = root('bash -s', `${AS_USER} busctl list >/dev/null && echo reached; busctl call ${start('good.service')} >/dev/null && echo root may
${calls.map((words) => `${AS_USER} timeout 20 busctl call ${words} 2>&1`).join('\n')}; true`);
  expect(said.trim().split('\n')).toEqual(['reached', 'root may', ...calls.map(() => expect.stringMatching(/Access denied|Interactive authentication required/))]);
});

it('two calls of one agent that overlap do not meet either; one and the same call meets itself (C13)', async () => {
  const door = await openDoor(AGENT);
  const words = ['/workspace/probe', 'plant', 'meet4846', ...MEETING.flatMap((act) => act.split(' ')), 'wait', '8'];
  const first = door.call('process.run', { program: 'env', args: words });
  await until('it to be planted', () => asRoot("pgrep -f '^/workspace/probe plant'").status === 0);
  expect(Object.values(await tried('call', MEETING)).sort()).toEqual(['ECONNREFUSED', 'ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', 'ENOENT']);
  // A queue no profile of a call allows, whoever made it.
  expect(probed(await first)).toMatchObject({ ...Object.fromEntries(MEETING.map((act) => [act, 'ok'])), 'mq /meet4846': 'EACCES' });
  door.close();
});

it('what a call left in its /tmp is not outside, nor in the next call; a link of another user\'s leads nobody there (C18)', async () => {
  expect((await tried('call', ['read /tmp/inside']))['read /tmp/inside']).toBe('ENOENT');
  const look = `${AS_USER} ln -sfn /etc/hostname /tmp/trap; cat /tmp/trap >/dev/null 2>&1 && echo followed || echo refused`;
  expect(root('bash -s', `ls /tmp/inside 2>/dev/null || echo none; ${look}; sysctl -qw fs.protected_symlinks=0; ${look}; sysctl -qw fs.protected_symlinks=1; rm -f /tmp/trap`)).toBe('none\nrefused\nfollowed\n');
  const units = ['holdfastd', 'holdfast-ledger', 'holdfast-watch', 'holdfast-declare', `holdfast-runner@${AGENT}`];
  expect(root(units.map((unit) => `systemctl show -P PrivateTmp ${unit}.service`).join(';')).trim().split('\n').filter((value) => value === 'no')).toEqual([]);
});

describe('ways out of a container that are known (C22)', () => {
  /** A root of its own and nothing else: the host's processes, devices, sockets, network and users, and an open directory. */
  const naive = () => root('bash -s', `R=/run/naive/root; mkdir -p /run/naive && mount -t tmpfs -o mode=755 none /run/naive
mkdir -p $R/proc $R/sys $R/dev $R/tmp $R/workspace $R/run; cp ${HOME}/escapes $R/; cp /usr/bin/sleep /run/naive/victim
printf '#!/bin/sh\\ncat /run/flag >/run/naive/root/tmp/got\\n' >${HELPER}; chmod 755 ${HELPER}
mount --bind /proc $R/proc; mount --bind /dev $R/dev; mount --bind ${HOME} $R/workspace; touch $R/run/flag.sock; mount --bind /run/flag.sock $R/run/flag.sock
/run/naive/victim 4 >/dev/null 2>&1 &
( exec 9</; exec chroot $R /escapes ${tricks.flat().join(' ')} )
cd /; umount -lR /run/naive
# The kernel keeps a hierarchy of control groups that was unmounted while a group of it was still going away, and every process is in it.
sleep 1; mount -t cgroup -o none,name=flag none /run/naive && umount /run/naive; rmdir /run/naive`);

  it('each leads to the flag from a container that has nothing but a root of its own', () => {
    const told = naive();
    expect(results(told)).toEqual(Object.fromEntries(tricks.map(([name, arg]) => [`${name} ${arg}`, 'ok'])));
    expect(told.split(TOKEN).length).toBeGreaterThan(15);
    expect(root('cat /proc/self/cgroup')).toMatch(/^0::\S+\n$/);
  });

  it.each(INSIDE)('and none as %s', (view) => {
    const answers = tricks.map(([name, arg]) => SEEN[view][`${name} ${arg}`]);
    expect(answers.filter((answer) => !/^E(PERM|ACCES|NOENT|SRCH|CONNREFUSED)$/.test(String(answer)))).toEqual([]);
    expect(SHOWN[view]).not.toContain('FLAG{');
  });

  it('a link to it, left for those who come from outside, leads neither the file tool nor an archive there', async () => {
    expect(root(`ln -sfn /run/flag ${HOME}/link; cat ${HOME}/link`)).toContain(TOKEN);
    const [read] = await callTools(AGENT, [{ tool: 'fs.read', args: { path: '/workspace/link' } }]);
    expect(read).toMatchObject({ isError: true, data: { error: 'ELOOP' } });
    const got = holdfast(`project get ${AGENT}`);
    expect(got.stdout).toContain('acts.sh');
    expect(got.stdout).not.toContain(TOKEN);
  });
});

describe('a tool that misbehaves', () => {
  const KIB = (unit: string) => Number(root(`awk '/^VmRSS/ { print $2 }' /proc/${mainPid(unit)}/status`));

  it('answers without end, or in pieces of a byte: cut and counted, and the next one is served (B12)', async () => {
    const before = KIB('holdfastd.service');
    const run = (program: string, args: readonly string[]) => ({ tool: 'process.run', args: { program, args, timeout_ms: 4_000 } });
    const [endless, pieces, next] = await callTools(AGENT, [run('yes', []), run('dd', ['if=/dev/zero', 'bs=1', 'count=20000', 'status=none']), run('echo', ['served'])]);
    expect(endless).toMatchObject({ isError: true, data: { deadline: true } });
    expect((endless!.data['stdout'] as { missing_bytes: number }).missing_bytes).toBeGreaterThan(1_000_000);
    expect(pieces).toMatchObject({ isError: false });
    expect(next!.text).toContain('served');
    expect(KIB('holdfastd.service') - before).toBeLessThan(16 * 1024);
  });

  it('crashes, ignores every signal, forks twice and goes on without its parent: nothing of it is left (B13)', async () => {
    const script = 'for i in 1 2 3; do (setsid sh -c "trap \\"\\" TERM HUP INT; sleep 4711" &) & done; sleep 1; kill -SEGV $$';
    const [crashed, next] = await callTools(AGENT, [{ tool: 'process.run', args: { program: 'sh', args: ['-c', script] } }, { tool: 'process.run', args: { program: 'true' } }]);
    expect(crashed).toMatchObject({ data: { signal: 'SIGSEGV' } });
    expect(next).toMatchObject({ isError: false });
    expect(root("pgrep -fc '[s]leep 4711' || true")).toBe('0\n');
  });

  it('a contained agent that multiplies meets LimitNPROC= before anybody notices, and stopping it takes all (C01)', () => {
    // The first of them never forks again: a shell that cannot ends, and its unit would with it.
    const said = root('bash -s', `cat >${HOME}/acts.sh <<'END'
bomb() { bomb | bomb & }
bomb
exec sleep 600
END
systemctl start ${OWN_UNIT}
for i in $(seq 60); do peak=$(cat ${SLICE}/${OWN_UNIT}/pids.peak); [ "$peak" -gt 150 ] && break; sleep 0.5; done
sleep 2; cat ${SLICE}/${OWN_UNIT}/pids.peak; systemctl stop ${OWN_UNIT}; ps -o comm= -u $(stat -c %u ${HOME}) | grep -c dash; true`);
    const [peak, left] = said.trim().split('\n').map(Number);
    expect(peak).toBeGreaterThan(150);
    expect(peak).toBeLessThanOrEqual(256);
    expect(left).toBe(0);
  });
});

describe('with the guards of a contained agent\'s ring switched off from outside', () => {
  const acts = () => [...new Set([...INSIDE.flatMap(asked)])];
  const OFF = [
    'TemporaryFileSystem=', 'PrivateNetwork=no', 'PrivateIPC=no', 'PrivatePIDs=no', 'ProtectProc=default', 'PrivateDevices=no', 'ProtectControlGroups=no',
    'ProtectKernelTunables=no', 'ProtectKernelLogs=no', 'RestrictAddressFamilies=', 'RestrictNamespaces=no', 'SystemCallFilter=', 'PrivateTmp=no', 'RestrictSUIDSGID=no',
  ];
  const LABEL = 'holdfast-agent-dev-contained';

  it('its unit: the profile and its uid are left, and two sockets give the flag away; the profile too: four more, and the machine is seen', async () => {
    const lines = [probe([...acts(), ...sockets.map((path) => `unix ${path}`)]), ['escapes', ...tricks.flat()]] as const;
    const unit = await withDropIn(OWN_UNIT, OFF, () => printed('contained', ...lines));
    expect(unit).toContain(TOKEN);
    expect(results(unit)).toMatchObject({
      'userns -': 'EACCES', 'clone -': 'EACCES', 'clone3 -': 'EACCES', 'cgroup2 -': 'EACCES', 'setns /proc/1/ns/mnt': 'EACCES',
      'read /dev/vda': 'EACCES', 'read /dev/fuse': 'EACCES', 'read /dev/kmsg': 'EACCES', 'read /proc/1/environ': 'EACCES', 'siblingmem -': 'EACCES', 'read /tmp/outside': 'EACCES',
      'abstract meet4846': 'ok', 'shm 4846': 'ok', 'msg 4846': 'ok', 'sem 4846': 'ok', 'mq /meet4846': 'EACCES', 'read /dev/shm/meet4846': 'EACCES',
      'has host-processes': 'ok', 'has interface': 'ok', 'has named-sockets': 'ok',
      'unix /run/dbus/system_bus_socket': 'ok', 'socket /run/flag.sock': 'ok', 'abstract flag-shim': 'ok', 'environ -': 'EACCES',
    });
    const both = await withProfiles({ [LABEL]: permissive(LABEL) }, () => withDropIn(OWN_UNIT, OFF, () => printed('contained', ...lines)));
    expect(results(both)).toMatchObject({
      'userns -': 'ok', 'clone -': 'ok', 'read /dev/fuse': 'ok', 'read /proc/keys': 'ok', 'read /sys/kernel/tracing': 'ok', 'tiocsti -': 'EIO',
      'read /tmp/outside': 'ok', 'mq /meet4846': 'ok', 'read /dev/shm/meet4846': 'ok', 'lies socket': 'ok', 'lies device': 'ok',
      'proc-root -': 'ok', 'proc-fd -': 'ok', 'leaked-fd -': 'ok', 'environ -': 'ok',
    });
  });
});
