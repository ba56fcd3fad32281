// SPDX-License-Identifier: Apache-2.0
// What the machine is, as the machine itself shows it: disk, root, network, users, profiles.
import { describe, expect, it } from 'vitest';
import { as, asRoot, holdfast, root } from './machine.ts';

describe('the disk', () => {
  it('has the partitions of the design, in their sizes', () => {
    const rows = root('lsblk -bnro PARTLABEL,SIZE /dev/vda').trim().split('\n').filter((l) => !l.startsWith(' '));
    const size = (label: RegExp) => Number(rows.find((r) => label.test(r))?.split(' ').at(-1));
    expect(size(/^esp /i)).toBe(512 << 20);
    expect(rows.filter((r) => r.startsWith('holdfast_')).map((r) => Number(r.split(' ').at(-1)))).toEqual([1 << 30, 32 << 20]);
    expect(rows.filter((r) => r.startsWith('_empty')).map((r) => Number(r.split(' ').at(-1)))).toEqual([1 << 30, 32 << 20]);
    expect(size(/^holdfast-safe/)).toBe(64 << 20);
    expect(size(/^holdfast-secrets/)).toBe(32 << 20);
    expect(size(/^holdfast-var/)).toBeGreaterThan(3 * 2 ** 30);
  });

  it('roots on dm-verity over erofs, and the kernel says so', () => {
    expect(root('findmnt -no SOURCE,FSTYPE,OPTIONS /')).toMatch(/^\/dev\/mapper\/root\s+erofs\s+ro/);
    expect(root('cat /sys/block/dm-0/dm/uuid')).toMatch(/^CRYPT-VERITY-/);
    expect(root('veritysetup status root 2>/dev/null || dmsetup table root 2>/dev/null || cat /sys/block/dm-0/ro')).toMatch(/verity|^1/);
  });

  it('cannot be written where the image is: EROFS, root or not', () => {
    for (const path of ['/usr/x', '/etc/x', '/x', '/usr/lib/holdfast/x']) {
      const ran = asRoot(`touch ${path}`);
      expect(ran.status).not.toBe(0);
      expect(ran.stderr).toContain('Read-only file system');
    }
    expect(asRoot('touch /var/lib/x && rm /var/lib/x').status).toBe(0);
  });

  it('keeps /var on XFS with reflinks, without devices and setuid', () => {
    expect(root('findmnt -no FSTYPE,OPTIONS /var')).toMatch(/^xfs .*nosuid.*nodev|^xfs .*nodev.*nosuid/);
    root('cd /var/lib && dd if=/dev/zero of=reflink-a bs=64k count=1 status=none && cp --reflink=always reflink-a reflink-b && rm reflink-a reflink-b');
  });

  it('mounts safe before the root is entered, for root alone', () => {
    expect(root('findmnt -no FSTYPE,OPTIONS /run/holdfast-safe')).toMatch(/^ext4 .*nosuid/);
    expect(root('stat -c %a /run/holdfast-safe').trim()).toMatch(/^7[05][05]$/);
  });
});

describe('the system', () => {
  it('came up whole: no unit failed', () => {
    expect(root('systemctl --failed --no-legend --plain')).toBe('');
  });

  it('runs cgroup v2 and nothing else', () => {
    expect(root('findmnt -no FSTYPE /sys/fs/cgroup').trim()).toBe('cgroup2');
  });

  it('listens on one TCP port, and it is ssh', () => {
    const ports = root('ss -Htln').trim().split('\n').map((l) => l.split(/\s+/)[3]!.split(':').at(-1));
    expect([...new Set(ports)]).toEqual(['22']);
    // DHCP's client is the only thing that may receive a datagram
    expect(root('ss -Huln').trim().split('\n').filter((l) => l !== '' && !/:68\b/.test(l))).toEqual([]);
  });

  it('has no compiler, no package manager, no password, no setuid program', () => {
    expect(root('for p in cc gcc g++ ld as apt apt-get dpkg rpm snap; do command -v $p; done; true')).toBe('');
    expect(root("awk -F: '$2 !~ /^[*!]/ && $2 != \"\" { print $1 }' /etc/shadow")).toBe('');
    expect(root("awk -F: '$2 == \"\" { print $1 }' /etc/shadow")).toBe('');
    expect(root('find / -xdev -type f -perm /6000')).toBe('');
  });

  it('loads our profiles only, all enforcing', () => {
    const loaded = root('cat /sys/kernel/security/apparmor/profiles').trim().split('\n');
    expect(loaded.length).toBeGreaterThan(8);
    for (const line of loaded) expect(line).toMatch(/^holdfast\S* \(enforce\)$/);
  });

  it('shows each of our processes under its own profile', () => {
    const label = (unit: string) => root(`cat /proc/$(systemctl show -P MainPID ${unit})/attr/current`).trim();
    expect(label('holdfastd.service')).toBe('holdfastd (enforce)');
    expect(label('holdfast-ledger.service')).toBe('holdfast-ledger (enforce)');
  });
});

describe('people', () => {
  it('operators are themselves, with a uid each', () => {
    expect(root('id -u alice').trim()).not.toBe(root('id -u bob').trim());
    expect(holdfast('status').stdout).toContain('ledger');
  });

  it('an operator who gives no command gets a prompt that knows holdfast and nothing else', () => {
    const ran = as('alice', null, 'version\nid\nexit\n');
    expect(ran.stdout).toMatch(/holdfast \d+\.\d+/);
    expect(ran.stdout + ran.stderr).not.toContain('uid=');
  });

  it('an operator gets holdfast and nothing else', () => {
    expect(holdfast('version').status).toBe(0);
    for (const command of ['id', 'cat /etc/passwd', 'sh -c id', 'holdfast version; id', 'holdfast version && id', '$(id)']) {
      const ran = as('alice', command);
      expect(ran.status, command).not.toBe(0);
      expect(ran.stdout, command).not.toContain('uid=');
      expect(ran.stdout, command).not.toContain('root:');
    }
  });
});
