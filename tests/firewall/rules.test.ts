// SPDX-License-Identifier: Apache-2.0
// The firewall of the image, asked of the kernel: the very file, in a network namespace with a wire to another one that answers everything.
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { repository, runInTools } from '../../image/host/workplace.ts';

const EGRESS = 30_004;
// Root, services of ours, a relay, agents, an operator: nobody among them may send.
const OTHERS = [0, 30_001, 30_002, 30_003, 30_005, 30_006, 30_100, 30_163, 30_200, 65_534];

const said = new Map<string, Record<string, string>>();

beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-firewall-'));
  try {
    const product = join(repository, 'rootfs-overlay/usr/lib/holdfast');
    const probe = ['python3', '-I', join(repository, 'tests/firewall/probe.py'), join(product, 'firewall.nft'), join(product, 'resolvers'), join(product, 'sources')];
    const env = ['env', `PROBE_UIDS=${[EGRESS, ...OTHERS].join(' ')}`];
    const log = openSync(join(dir, 'out'), 'w');
    await runInTools([`${repository}:ro`], ['unshare', '-n', '-m', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sh', ...env, ...probe], { log });
    for (const line of readFileSync(join(dir, 'out'), 'utf8').split('\n')) {
      const [who, act, result] = line.split(' ');
      if (act !== undefined) said.set(who!, { ...said.get(who!), [act]: result! });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 180_000);

const ACTS = ['tcp-public', 'tcp-private', 'tcp-metadata', 'dns-resolver', 'dns-tcp-resolver', 'dns-other', 'dns-tcp-other', 'dot', 'quic', 'dhcp', 'icmp'];

describe('what may leave (F01, R75)', () => {
  it('the control: without the rules all of it is answered', () => {
    expect(said.get('open')).toEqual({ ...Object.fromEntries(ACTS.map((act) => [act, 'ok'])), loopback: 'ECONNREFUSED' });
  });

  it('holdfast-egress reaches public addresses by TCP and the network\'s own name server, and no other DNS, no UDP, nothing internal', () => {
    expect(said.get(String(EGRESS))).toEqual({
      'tcp-public': 'ok', 'dns-resolver': 'ok', 'dns-tcp-resolver': 'ok',
      'tcp-private': 'EHOSTUNREACH', 'tcp-metadata': 'EHOSTUNREACH', 'dns-tcp-other': 'EHOSTUNREACH', 'dot': 'EHOSTUNREACH',
      'dns-other': 'EPERM', 'quic': 'EPERM', 'dhcp': 'EPERM', 'icmp': 'EPERM', 'loopback': 'ECONNREFUSED',
    });
  });

  it.each(OTHERS)('uid %i sends nothing, and is told so at once', (uid) => {
    const tcp = (act: string): boolean => /^(?:tcp|dns-tcp|dot)/.test(act);
    expect(said.get(String(uid))).toEqual({ ...Object.fromEntries(ACTS.map((act) => [act, tcp(act) ? 'EHOSTUNREACH' : 'EPERM'])), loopback: 'ECONNREFUSED' });
  });

  it('systemd-networkd renews its lease and sends nothing else', () => {
    const { dhcp, ...rest } = said.get('networkd')!;
    expect(dhcp).toBe('ok');
    expect(Object.entries(rest).filter(([act, result]) => result === 'ok' && act !== 'loopback')).toEqual([]);
  });
});

describe('what may come (F12)', () => {
  it('ssh is answered, though who answers may begin nothing; no other port is, and no echo', () => {
    expect(said.get('in')).toEqual({ 'tcp-22': 'ok', 'tcp-8080': 'refused', 'ping': 'refused' });
  });
});

describe('name servers as the network says them', () => {
  it('are plain addresses of other machines, three at most; who writes there writes no rule', () => {
    expect(said.get('resolv0')).toEqual({ conf: 'nameserver,10.0.2.3,nameserver,9.9.9.9,nameserver,192.0.2.7', set: '10.0.2.3,192.0.2.7,9.9.9.9' });
  });

  it('are none once it says none', () => {
    expect(said.get('resolv1')).toEqual({ conf: '', set: '' });
  });
});

describe('where an operator said that a source of secrets is (R18\'s one exception)', () => {
  it('holdfast-egress reaches that private address at that port: no DNS there, nothing of another kind, and nobody else', () => {
    expect(said.get('source0')).toEqual({
      'set': '10.9.9.9:443,10.9.9.9:53,10.9.9.9:853,172.31.0.1:8200,192.168.7.7:8200',
      'there': 'ok', 'public': 'ok', 'dns': 'EPERM', 'dns-tcp': 'EHOSTUNREACH', 'dot': 'EHOSTUNREACH', 'metadata': 'EHOSTUNREACH', 'others': 'EHOSTUNREACH',
    });
  });

  it('and no longer than it is said', () => {
    expect(said.get('source1')).toMatchObject({ set: '', there: 'EHOSTUNREACH', public: 'ok' });
  });
});
