// SPDX-License-Identifier: Apache-2.0
// Who owns the machine: nobody without a seed, the first seed for ever, and nobody through any other word in SMBIOS.
// A machine of its own, booted four times on one disk.
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage } from '../../image/host/build-image.ts';
import { boot, pause, pullPlug, ssh, waitForSsh, type Machine } from '../../image/host/machine.ts';
import { keyPair, type Seed } from '../../image/host/seed.ts';
import { cache, repository, runInTools } from '../../image/host/workplace.ts';
import { PATIENCE_S } from './machine.ts';

const dir = join(cache, 'seed-machine');
const key = (name: string) => keyPair(join(cache, 'keys'), `test-${name}`);
const users = { root: key('root'), alice: key('alice'), mallory: key('mallory') };
const ALICE: Seed = { operators: [{ name: 'alice', roles: ['ops'], keys: [key('alice').public] }], agentKeys: [], rootKeys: [key('root').public] };
const MALLORY: Seed = { operators: [{ name: 'mallory', roles: ['ops'], keys: [key('mallory').public] }], agentKeys: [] };

/**
 * What whoever writes SMBIOS could ask of a stock systemd (systemd.system-credentials(7)), and how its effect would be seen. On a
 * stock Debian 13 seventeen of these looks see an effect; passwords, host name, machine id and motd take one at a first boot only, and
 * the last is a name of ours.
 */
const HOSTILE: readonly { readonly name: string; readonly value: string; readonly seen: string }[] = [
  { name: 'tmpfiles.extra', value: 'f /run/attack-tmpfiles 0644 root root - x\n', seen: 'test -e /run/attack-tmpfiles' },
  { name: 'systemd.extra-unit.attack.service', value: '[Service]\nType=oneshot\nExecStart=/usr/bin/touch /run/attack-unit\n', seen: 'systemctl cat attack.service || test -e /run/attack-unit' },
  { name: 'systemd.unit-dropin.multi-user.target', value: '[Unit]\nWants=attack.service\n', seen: 'systemctl show -P Wants multi-user.target | grep -q attack' },
  { name: 'systemd.unit-dropin.ssh.service~attack', value: '[Service]\nExecStartPre=/usr/bin/touch /run/attack-dropin\n', seen: 'systemctl cat ssh.service | grep -q attack || test -e /run/attack-dropin' },
  { name: 'fstab.extra', value: 'tmpfs /run/attack-fstab tmpfs x-mount.mkdir 0 0\n', seen: 'findmnt /run/attack-fstab' },
  { name: 'ssh.listen', value: '0.0.0.0:2223\n', seen: "systemctl list-units --all --no-legend 'sshd-*' | grep -q . || ss -Htln | grep -q :2223" },
  { name: 'ssh.authorized_keys.root', value: `${key('mallory').public}\n`, seen: 'test -e /root/.ssh/authorized_keys || grep -rq "$(cut -c1-60 </run/attack-key)" /run/ssh-keys' },
  { name: 'ssh.ephemeral-authorized_keys-all', value: `${key('mallory').public}\n`, seen: 'test -e /run/credentials/@system/ssh.ephemeral-authorized_keys-all' },
  { name: 'passwd.hashed-password.root', value: '', seen: "getent shadow root | grep -qv '^root:\\*:'" },
  { name: 'passwd.plaintext-password.root', value: 'attack', seen: "getent shadow root | grep -qv '^root:\\*:'" },
  { name: 'system.hostname', value: 'attackhost', seen: '[ "$(hostname)" = attackhost ]' },
  { name: 'system.machine_id', value: '11111111222222223333333344444444', seen: 'grep -q 11111111222222223333333344444444 /etc/machine-id' },
  { name: 'sysctl.extra', value: 'vm.swappiness=33\nkernel.unprivileged_bpf_disabled=0\n', seen: '[ "$(sysctl -n vm.swappiness)" = 33 ]' },
  { name: 'sysusers.extra', value: 'u attacker 0 "x" /root /bin/sh\n', seen: 'getent passwd attacker' },
  { name: 'udev.rules.attack', value: 'ACTION=="add", RUN+="/usr/bin/touch /run/attack-udev"\n', seen: 'ls /run/udev/rules.d | grep -q attack || test -e /run/attack-udev' },
  { name: 'network.network.50-attack', value: '[Match]\nName=*\n[Network]\nDNS=6.6.6.6\n', seen: 'ls /run/systemd/network | grep -q attack' },
  { name: 'network.dns', value: '6.6.6.6', seen: 'grep -rqs 6.6.6.6 /run/systemd/network /run/systemd/netif /run/systemd/resolve /etc/resolv.conf' },
  { name: 'journal.storage', value: 'volatile', seen: '! ls /var/log/journal/*/system.journal' },
  { name: 'journal.forward_to_socket', value: 'vsock:2:9999', seen: 'test -e /run/credentials/systemd-journald.service/journal.forward_to_socket' },
  { name: 'login.issue', value: 'attack\n', seen: 'grep -rqs attack /run/issue.d /etc/issue.d' },
  { name: 'login.motd', value: 'attack\n', seen: 'grep -rqs attack /run/motd.d' },
  { name: 'getty.ttys.serial', value: 'ttyS0\n', seen: "systemctl list-units --no-legend '*getty@*' | grep -q ." },
  { name: 'holdfast.operators', value: 'mallory\n', seen: 'getent passwd mallory' },
];

let image: string;
let machine: Machine | null = null;

async function bootWith(seed: Seed | null, smbios: readonly string[] = [], otherDisks: readonly string[] = []): Promise<Machine> {
  if (machine !== null) {
    pullPlug(machine);
    await machine.exited;
  }
  machine = await boot({ dir, image, seed, users, smbios, otherDisks });
  return machine;
}

const serial = () => readFileSync(join(dir, 'serial.log'), 'latin1');

/** 255 is ssh's own: on a busy machine a first connection of a user may not be made in its time. */
async function asRoot(command: string, input?: string): Promise<string> {
  let ran = ssh(machine!, 'root', command, input);
  for (const end = Date.now() + PATIENCE_S * 1000; ran.status === 255 && Date.now() < end; ran = ssh(machine!, 'root', command, input)) await pause(1000);
  if (ran.status !== 0) throw new Error(`as root: ${command}\nstatus ${ran.status}: ${ran.stderr}`);
  return ran.stdout;
}

/** A command as soon as holdfastd and the ledger answer. */
async function settled(command: string, user = 'alice') {
  for (let i = 0; i < 60; i++) {
    const ran = ssh(machine!, user, command);
    if (ran.status === 0 && ran.stdout !== '') return ran;
    await pause(1000);
  }
  return ssh(machine!, user, command);
}

beforeAll(async () => {
  image = (await buildImage()).raw;
  rmSync(dir, { recursive: true, force: true });
});

afterAll(() => {
  if (machine !== null) pullPlug(machine);
});

describe('a machine without a seed', () => {
  it('lets nobody in and says so on its console', async () => {
    await waitForSsh(await bootWith(null), 300);
    for (const user of ['alice', 'root', 'mallory']) {
      const ran = ssh(machine!, user, 'true');
      expect(ran.status, user).toBe(255);
      expect(ran.stderr, user).toContain('Permission denied (publickey)');
    }
    expect(serial()).toContain('nobody can log in');
  });
});

describe('the first seed', () => {
  it('claims the machine, among credentials of every other kind, and those have no effect', async () => {
    const words = HOSTILE.map(({ name, value }) => `io.systemd.credential.binary:${name}=${Buffer.from(value).toString('base64')}`);
    await waitForSsh(await bootWith(ALICE, words), 300);
    expect((await settled('holdfast log --kind seed.claimed --json')).stdout).toContain('"claimed"');
    // the control: each of them was there to be read
    const raw = await asRoot('cat /sys/firmware/dmi/entries/11-*/raw');
    for (const { name } of HOSTILE) expect(raw, name).toContain(`io.systemd.credential.binary:${name}=`);
    await asRoot('cat >/run/attack-key', key('mallory').public);
    const looks = HOSTILE.map(({ name, seen }) => `if ( ${seen} ) >/dev/null 2>&1; then echo 'EFFECT ${name}'; else echo 'none ${name}'; fi`);
    const found = (await asRoot(looks.join('\n'))).trim().split('\n');
    expect(found).toEqual(HOSTILE.map(({ name }) => `none ${name}`));
    expect(await asRoot('ls /run/credentials/@system /run/credentials/@encrypted 2>/dev/null; true')).toBe('');
    expect(await asRoot('systemctl --failed --no-legend --plain')).toBe('');
    expect(ssh(machine!, 'mallory', 'true').stderr).toContain('Permission denied');
  });

  it('stays the owner when another seed comes, with a disk whose partitions nobody has claimed, and that is on record', async () => {
    await asRoot('sync');
    const definitions = join(repository, 'rootfs-overlay/usr/lib/repart.d');
    const making = ['systemd-repart', '--empty=create', '--size=1G', '--dry-run=no', '--offline=yes', `--definitions=${definitions}`, join(dir, 'foreign.raw')];
    const log = openSync(join(dir, 'foreign.log'), 'w');
    await runInTools([repository, dir], making, { log }).finally(() => closeSync(log));
    await waitForSsh(await bootWith(MALLORY, [], ['foreign.raw']), 300);
    // the control: it is there, met first, and its partitions have the names of ours (read from the disk: udev may still be at it)
    expect((await asRoot('partx -go NAME /dev/vda')).trim().split('\n')).toEqual(['holdfast-safe', 'holdfast-secrets', 'holdfast-var']);
    expect(await asRoot('findmnt -no SOURCE /run/holdfast-safe; findmnt -no SOURCE /var')).toMatch(/^\/dev\/vdb\d+\n\/dev\/vdb\d+\n$/);
    expect(await asRoot('cat /run/holdfast-secret-device')).toMatch(/^\/dev\/vdb\d+\n$/);
    expect((await settled('holdfast log --kind seed.ignored --json')).stdout).toContain('"ignored"');
    expect(ssh(machine!, 'mallory', 'holdfast version').stderr).toContain('Permission denied');
    expect(ssh(machine!, 'alice', 'holdfast version').status).toBe(0);
    expect(serial()).toContain('it is ignored');
  });
});

describe('a foreign kernel command line', () => {
  it('ends the machine before its root is mounted', async () => {
    const words = ['io.systemd.stub.kernel-cmdline-extra=init=/bin/sh', 'io.systemd.boot.kernel-cmdline-extra=init=/bin/sh'];
    const foreign = await bootWith(ALICE, words);
    await Promise.race([foreign.exited, pause(120_000).then(() => Promise.reject(new Error('the machine runs on')))]);
    machine = null;
    expect(serial().slice(-4000)).toContain('the kernel command line is not the one this image was built with');
  });
});
