// SPDX-License-Identifier: Apache-2.0
// What somebody else on the machine's network meets: one port, which a key opens, and which nobody closes to others by holding it.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ssh } from '../../image/host/machine.ts';
import { repository } from '../../image/host/workplace.ts';
import { asRoot, machine, root } from './machine.ts';

const OUTSIDE = 'python3 -I /run/outside.py';
const scan = (to: number) => root(`${OUTSIDE} scan ${to}`).trim().split('\n');

beforeAll(() => {
  root('cat >/run/outside.py', readFileSync(join(repository, 'tests/vm/probe/outside.py'), 'utf8'));
  // systemd-networkd would ask for a lease on it.
  root('mkdir -p /run/systemd/network && printf "[Match]\\nName=outside\\n[Link]\\nUnmanaged=yes\\n" >/run/systemd/network/05-outside.network && networkctl reload');
});
afterAll(() => {
  asRoot('rm -f /run/outside.py /run/systemd/network/05-outside.network; networkctl reload');
});

it('all 65 535 ports of TCP and 47 of UDP: ssh answers and nothing else; without the firewall a port that is open is found (F12)', { timeout: 900_000 }, () => {
  const server = "python3 -I -c 'import socket, time; s = socket.create_server((\"\", 8080)); time.sleep(800)' >/dev/null 2>&1 & echo $!";
  const pid = root(server).trim();
  try {
    root('nft insert rule inet holdfast input accept');
    const open = scan(10_000);
    expect(open).toEqual(expect.arrayContaining(['tcp 22', 'tcp 8080', 'udp 53 closed', 'end']));
    root('nft -f /usr/lib/holdfast/firewall.nft && systemctl restart holdfast-resolvers.service');
    expect(scan(65_535)).toEqual(['tcp 22', 'end']);
  } finally {
    root(`kill ${pid}; nft -f /usr/lib/holdfast/firewall.nft && systemctl restart holdfast-resolvers.service`);
  }
});

it('ssh says no more than its version, offers no algorithm that is broken, and is strict about the order of packets (CVE-2023-48795, F13)', () => {
  const lines = new Map(root(`${OUTSIDE} offer`).trim().split('\n').map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
  expect(lines.get('banner')).toMatch(/^SSH-2\.0-OpenSSH_[\w.]+(?: Debian-[\w.~+-]+)?$/);
  expect(lines.get('hostkey')).toBe('ssh-ed25519');
  expect(lines.get('kex')!.split(',')).toContain('kex-strict-s-v00@openssh.com');
  const offered = [...lines].filter(([name]) => name !== 'banner').flatMap(([, list]) => list.split(','));
  expect(offered.length).toBeGreaterThan(15);
  expect(offered.filter((name) => /sha1$|sha1-|md5|umac-64|cbc|arcfour|3des|group1-|ssh-dss|ssh-rsa$/.test(name))).toEqual([]);
});

it('a thousand connections that say nothing take one source\'s share: others get in while they hang (F13)', { timeout: 600_000 }, async () => {
  const hanging = spawn('ssh', ['-F', machine().sshConfig, 'root', `${OUTSIDE} hang 1000`], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const held = await new Promise<string>((resolve, reject) => {
      hanging.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()));
      hanging.once('exit', () => reject(new Error('nobody hangs')));
    });
    // The control: they were taken by the kernel, whatever sshd makes of them.
    expect(Number(/held (\d+)/.exec(held)![1])).toBeGreaterThan(500);
    for (let i = 0; i < 5; i++) expect(ssh(machine(), 'alice', 'holdfast version').status, `login ${i}`).toBe(0);
    expect(Number(root("ss -Htn state established '( sport = :22 )' dst 44.129.0.1 | wc -l"))).toBeLessThanOrEqual(10);
  } finally {
    hanging.stdin.end();
    await new Promise((resolve) => hanging.once('exit', resolve));
  }
});

// The last: OpenSSH keeps a source out for some seconds that fails three times.
it('nobody gets in without a key: not by none, not by a password, whoever he says he is, and all are told the same', () => {
  const told = ['alice', 'nobody-of-that-name', 'agent-laptop'].map((user) => {
    const ran = spawnSync('ssh', ['-F', machine().sshConfig, '-o', 'ControlPath=none', '-o', 'PubkeyAuthentication=no', '-o', 'PreferredAuthentications=none,password,keyboard-interactive', '-o', 'NumberOfPasswordPrompts=0', '-o', `User=${user}`, 'alice', 'true'], { encoding: 'utf8' });
    return [ran.status, ran.stderr.replaceAll(user, 'USER').split('\n').filter((line) => line.includes('Permission denied')).join()];
  });
  expect(new Set(told.map((one) => JSON.stringify(one))).size).toBe(1);
  expect(told[0]).toEqual([255, expect.stringContaining('Permission denied (publickey)')]);
});
