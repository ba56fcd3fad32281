// SPDX-License-Identifier: Apache-2.0
// What lies outside of an agent and must be as it was, whatever ran inside: files that anybody may write, a process of the agent's own
// user, listeners on the host's addresses, and the machine's own state. Seen by root, from outside (attack cases, E1).
import { expect } from 'vitest';
import { asRoot, root } from './machine.ts';

/** Writable by everybody: only the sandbox keeps an agent from them, no file mode does. */
const FILES = ['/run/canary', '/tmp/canary', '/dev/shm/canary', '/var/canary', '/var/lib/holdfast-workspaces/laptop/canary'];
const PORTS = [21, 53, 80, 443, 1234, 4444, 8000, 8080, 9999];

/** One fact a line, its name before the first `=`; compared whole. */
const LOOK = `
for f in ${FILES.join(' ')}; do echo "file $f=$(stat -c '%a %u %Y %s' $f 2>&1) $(sha256sum <$f 2>&1 | cut -c1-16)"; done
echo "beside=$(ls -A /run/canary.d /var/canary.d 2>&1 | tr '\\n' ' ')"
echo "process=$(kill -0 $(cat /run/canary-process) 2>/dev/null && echo lives || echo gone) $(ps -o ni= -p $(cat /run/canary-process))"
echo "connections=$(sort /run/canary-connections | uniq -c | tr '\\n' ';')"
echo "boot=$(cat /proc/sys/kernel/random/boot_id)"
# in steps of minutes: two reads of a clock lie apart
echo "clock=$(( ($(date +%s) - $(cut -d. -f1 /proc/uptime) - $(cat /run/canary-clock) + 30) / 60 ))"
echo "hostname=$(hostname)"
echo "mounts=$(cut -d' ' -f1-4 /proc/self/mounts | sha256sum | cut -c1-16)"
echo "modules=$(cut -d' ' -f1 /proc/modules | sort | sha256sum | cut -c1-16)"
echo "sysctl=$(cat /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/randomize_va_space /proc/sys/kernel/sysrq /proc/sys/vm/swappiness | sha256sum | cut -c1-16)"
echo "listening=$(cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp | awk '$4 == "0A" || $4 == "07" { print $2 }' | sort | sha256sum | cut -c1-16)"
echo "accounts=$(cat /etc/passwd /etc/shadow /etc/group /run/ssh-keys/* 2>/dev/null | sha256sum | cut -c1-16)"
echo "units=$(ls /run/systemd/system /etc/systemd/system 2>/dev/null | sha256sum | cut -c1-16)"
echo "failed=$(systemctl list-units --failed --plain --no-legend | cut -d' ' -f1 | tr '\\n' ' ')"
echo "services=$(for u in holdfastd holdfast-ledger ssh systemd-journald; do systemctl show -P MainPID $u; done | tr '\\n' ' ')"
`;

const LISTENERS = `
import selectors, socket
chosen = selectors.DefaultSelector()
for port in ${JSON.stringify(PORTS)}:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        s = socket.socket(socket.AF_INET6, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(('::', port))
        if kind == socket.SOCK_STREAM: s.listen(64)
        chosen.register(s, selectors.EVENT_READ, (port, kind))
s = socket.socket(socket.AF_UNIX)
s.bind('\\0canary')
s.listen(64)
chosen.register(s, selectors.EVENT_READ, ('abstract', socket.SOCK_STREAM))
while True:
    for key, _ in chosen.select():
        port, kind = key.data
        if kind == socket.SOCK_STREAM: key.fileobj.accept()[0].close()
        else: key.fileobj.recv(65536)
        with open('/run/canary-connections', 'a') as f: f.write(f'{port}\\n')
`;

export type Facts = ReadonlyMap<string, string>;

/** Plants them. `agentUser`: whose process must live through a `kill -9 -1`. */
export function plantCanaries(agentUser: string): void {
  root(`mkdir -p /run/canary.d /var/canary.d; chmod 777 /run/canary.d /var/canary.d; : >/run/canary-connections
for f in ${FILES.join(' ')}; do echo canary >$f; chmod 666 $f; done
echo $(( $(date +%s) - $(cut -d. -f1 /proc/uptime) )) >/run/canary-clock
systemd-run -q --unit=canary-process --uid=${agentUser} sleep infinity
systemctl show -P MainPID canary-process >/run/canary-process
cat >/run/canary-listeners.py; systemd-run -q --unit=canary-listeners python3 /run/canary-listeners.py; sleep 2`, LISTENERS);
  expect(asRoot('systemctl is-active canary-process canary-listeners').stdout).toBe('active\nactive\n');
}

export function digUpCanaries(): void {
  root(`systemctl stop canary-process canary-listeners; rm -rf /run/canary* /var/canary.d ${FILES.join(' ')}`);
}

export function lookAtCanaries(): Facts {
  const lines = root('bash -s', LOOK).split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/** What is not as it was: `name: before → after`. */
export function touched(before: Facts, after: Facts): readonly string[] {
  return [...before].filter(([name, value]) => after.get(name) !== value).map(([name, value]) => `${name}: ${value} → ${after.get(name)}`);
}

/** An act of root for a canary, and how to take it back: each must be seen, or a run without a finding would say nothing. */
export const ACTS_THAT_SHOW: Readonly<Record<string, readonly [act: string, back: string]>> = {
  'file /run/canary': ['touch -d @1 /run/canary', ''],
  'file /var/canary': ['echo x >>/var/canary', ''],
  'file /dev/shm/canary': ['rm /dev/shm/canary', ''],
  beside: ['echo x >/var/canary.d/x', ''],
  process: ['renice -n 5 -p $(cat /run/canary-process) >/dev/null', ''],
  connections: ['bash -c "exec 3<>/dev/tcp/127.0.0.1/4444"; sleep 1', ''],
  hostname: ['hostname canary', 'hostname holdfast'],
  mounts: ['mount -t tmpfs none /run/canary.d', 'umount /run/canary.d'],
  sysctl: ['sysctl -qw vm.swappiness=61', 'sysctl -qw vm.swappiness=60'],
  accounts: ['echo x >/run/ssh-keys/canary', 'rm /run/ssh-keys/canary'],
  units: ['touch /run/systemd/system/canary.timer', 'rm /run/systemd/system/canary.timer'],
};
