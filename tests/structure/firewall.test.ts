// SPDX-License-Identifier: Apache-2.0
// The firewall, the accounts and the units agree on who may send.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repository } from '../../image/host/workplace.ts';

const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const rules = read('rootfs-overlay/usr/lib/holdfast/firewall.nft').replaceAll(/#.*$/gm, '');
const units = readdirSync(join(repository, 'systemd/system')).filter((name) => /\.(?:service|socket)$/.test(name));
const said = (unit: string, key: string): readonly string[] => [...read(`systemd/system/${unit}`).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].flatMap(([, words = '']) => words.split(' '));

describe('who may send', () => {
  it('is the uid of holdfast-egress, and nothing is let out or in by another policy', () => {
    const [, uid] = /^define egress = (\d+)$/m.exec(rules)!;
    expect(read('rootfs-overlay/usr/lib/sysusers.d/holdfast.conf')).toContain(`\nu holdfast-egress ${uid} `);
    expect([...rules.matchAll(/hook (\w+) priority filter; policy (\w+);/g)].map(([, hook, policy]) => [hook, policy])).toEqual([['output', 'drop'], ['input', 'drop'], ['forward', 'drop']]);
    // Of other uids only systemd-networkd, for its lease.
    expect([...rules.matchAll(/skuid (\S+)/g)].map(([, who]) => who)).toEqual(['$egress', 'systemd-network']);
  });

  it('makes one exception of addresses, by TCP, after DNS was refused and before all that is internal is', () => {
    const chain = /chain egress \{([^}]*(?:\{[^}]*\}[^}]*)*)\n\t\}/.exec(rules)![1]!;
    const at = ['dport { 53, 853, 5353 } reject', 'ip daddr . tcp dport @sources accept', 'ip daddr @internal reject'].map((rule) => chain.indexOf(rule));
    expect([at[0]! > 0, at[0]! < at[1]!, at[1]! < at[2]!]).toEqual([true, true, true]);
    // Who fills it reads what holdfast-secretd writes, and nobody else may write there.
    expect(said('holdfast-sources.service', 'ExecStart').at(-1)).toBe('/usr/lib/holdfast/sources');
    expect(read('rootfs-overlay/usr/lib/tmpfiles.d/holdfast.conf')).toContain('\nd /run/holdfast-sources 0755 holdfast-secret holdfast-secret\n');
    const writers = units.filter((unit) => said(unit, 'ReadWritePaths').includes('/run/holdfast-sources'));
    expect(writers).toEqual(['holdfast-secretd.service']);
  });

  it('has the rules before it starts, and the network has them before it is up', () => {
    expect(said('holdfast-egress.service', 'User')).toEqual(['holdfast-egress']);
    for (const key of ['Requires', 'After']) expect(said('holdfast-egress.service', key), key).toContain('holdfast-firewall.service');
    expect(said('holdfast-firewall.service', 'Before')).toEqual(expect.arrayContaining(['network-pre.target', 'systemd-networkd.service']));
    expect(said('holdfast-firewall.service', 'ExecStop')).toEqual([]);
  });

  it('is the only service of ours that may make a socket of the internet in the network of the machine', () => {
    const free = units.filter((unit) => unit.startsWith('holdfast') && unit.endsWith('.service')).filter((unit) => {
      const families = said(unit, 'RestrictAddressFamilies');
      return !said(unit, 'PrivateNetwork').includes('yes') && (families.length === 0 || families.some((family) => /INET|PACKET/.test(family)));
    });
    expect(free).toEqual(['holdfast-egress.service']);
  });
});

describe('the way from an agent', () => {
  it('begins in the namespace of the agent\'s unit and ends at the socket of that agent', () => {
    expect(said('holdfast-relay@.socket', 'JoinsNamespaceOf')).toEqual(['holdfast-agent@%i.service']);
    // Else the agent that starts second has none of its own.
    expect(said('holdfast-relay@.socket', 'PrivateIPC')).toEqual(['yes']);
    expect([said('holdfast-relay@.socket', 'PrivateNetwork'), said('holdfast-agent@.service', 'PrivateNetwork')]).toEqual([['yes'], ['yes']]);
    expect(said('holdfast-relay@.service', 'ExecStart').at(-1)).toBe('/run/holdfast-egress/agents/%i.sock');
    // No other socket of ours listens on a port, and this one only there.
    const ports = units.flatMap((unit) => said(unit, 'ListenStream')).filter((where) => !where.startsWith('/'));
    expect(ports).toEqual(['127.0.0.1:3128']);
    expect(read('host-agent/src/config/agent-environment.ts')).toContain(`'http://${ports[0]}'`);
  });
});
