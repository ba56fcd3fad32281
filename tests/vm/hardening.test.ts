// SPDX-License-Identifier: Apache-2.0
// The host as an auditor meets it: what the kernel runs with, what is mounted how, what no file may be, and how exposed each unit
// is. tests/audit/*.txt has the numbers and the reasons; `make audit` prints them, and asks Lynis too.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';
import { kernelLines, unitLines } from '../audit/explained.ts';
import { exposures } from '../audit/exposures.ts';
import { asRoot, root } from './machine.ts';

const settings = (path: string) => readFileSync(join(repository, path), 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the kernel', () => {
  const wanted = settings('rootfs-overlay/usr/lib/sysctl.d/50-holdfast.conf').map((line) => /^(\S+) = (.+)$/.exec(line)!.slice(1) as [string, string]);
  const lines = kernelLines();
  const names = [...new Set([...wanted.map(([name]) => name), ...lines.filter((l) => l.kind === 'sysctl').map((l) => l.name)])];
  const asked = () => Object.fromEntries(root(`sysctl ${names.join(' ')}`).trim().split('\n').map((line) => line.split(' = ', 2) as [string, string]));

  it('runs with each value that the image sets, and with those that the audit says', () => {
    const has = asked();
    expect(wanted.filter(([name, value]) => has[name] !== value).map(([name, value]) => `${name}: ${has[name]} and not ${value}`)).toEqual([]);
    const wrong = lines.filter((l) => l.kind === 'sysctl' && has[l.name] !== l.ours);
    expect(wrong.map((l) => `${l.name}: ${has[l.name]} and not ${l.ours}`)).toEqual([]);
  });

  it('was started with each word that the audit says, and with no word that nobody explains', () => {
    const words = new Map(root('cat /proc/cmdline').trim().split(' ').map((word) => [word.split('=')[0]!, word.includes('=') ? word.slice(word.indexOf('=') + 1) : 'set']));
    const wrong = lines.filter((l) => l.kind === 'cmdline' && (words.get(l.name) ?? '-') !== l.ours);
    expect(wrong.map((l) => `${l.name}: ${words.get(l.name) ?? '-'} and not ${l.ours}`)).toEqual([]);
    expect(root('journalctl -q -b -k -o cat -g "Unknown kernel command line"').match(/"(.*)"/)![1]).toMatch(/^roothash=[0-9a-f]{64}$/);
  });

  it('is locked against root, has no swap, and no module for what nobody speaks here', () => {
    expect(root('cat /sys/kernel/security/lockdown')).toContain('[integrity]');
    expect(root('tail -n +2 /proc/swaps')).toBe('');
    expect(asRoot('modprobe dccp').status).not.toBe(0);
    const rare = 'dccp sctp rds tipc atm ax25 firewire-core cramfs freevxfs hfs jffs2 udf n_hdlc n_gsm can';
    expect(root(`find /usr/lib/modules -name '*.ko*' | sed 's,.*/,,; s,[.]ko.*,,' | grep -xF "$(echo ${rare} | tr ' ' '\\n')" || true`)).toBe('');
    // a positive control: drivers of this machine are there
    expect(root("find /usr/lib/modules -name 'virtio_net.ko*' | wc -l").trim()).toBe('1');
  });

  it('writes no core file (C17)', () => {
    expect(root("cd /var/tmp && (sh -c 'ulimit -c unlimited; kill -SEGV $$'; echo $?); find /var /run /tmp -xdev -type f -name '*core*' -mmin -2")).toBe('139\n');
  });
});

describe('the files', () => {
  it('no file gives more rights than its caller has: no setuid, no setgid, no file capability', () => {
    const walk = `import os
for d in ('/usr', '/etc', '/opt', '/srv'):
  for folder, _, names in os.walk(d):
    for n in names:
      p = os.path.join(folder, n)
      s = os.lstat(p)
      if not os.path.isfile(p) or os.path.islink(p): continue
      seen = globals().get('seen', 0) + 1
      globals()['seen'] = seen
      if s.st_mode & 0o6000: print('set id', p)
      if 'security.capability' in os.listxattr(p): print('capability', p)
      if s.st_mode & 0o002: print('writable', p)
print(seen > 1000)`;
    expect(root('python3 -I -', walk)).toBe('True\n');
    expect(root("awk -F: '$7 !~ /(nologin|false)$/ && $1 != \"root\" && $1 != \"sync\" { print $1 \" \" $7 }' /etc/passwd")).toBe('');
  });

  it('what can be written holds no devices and no setuid programs, and no programs but in workspaces', () => {
    const mounts = root('findmnt -rn -o TARGET,OPTIONS').trim().split('\n').map((line) => line.split(' ') as [string, string]);
    for (const place of ['/var', '/run', '/tmp', '/dev/shm', '/run/holdfast-safe']) {
      const options = mounts.find(([target]) => target === place)?.[1].split(',');
      expect(options, place).toEqual(expect.arrayContaining(['rw', 'nosuid', 'nodev', 'noexec']));
    }
    expect(mounts.find(([target]) => target === '/')![1].split(',')).toContain('ro');
    const control = root('cp /usr/bin/true /var/tmp/t && chmod 755 /var/tmp/t; /usr/bin/true && echo image; /var/tmp/t 2>&1 || true; rm /var/tmp/t');
    expect(control).toMatch(/^image\n.*Permission denied\n$/);
  });
});

describe('the units', () => {
  it('none is more exposed than its line says, and each that runs has a line', () => {
    const known = unitLines();
    const seen = exposures(root);
    const over = known.filter(({ unit, most }) => !((seen.get(unit) ?? Number.NaN) <= most));
    expect(over.map(({ unit, most }) => `${unit}: ${seen.get(unit)} and not ${most}`)).toEqual([]);
    expect([...seen.keys()].filter((unit) => !known.some((line) => line.unit === unit))).toEqual([]);
  });
});
