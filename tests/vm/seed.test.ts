// SPDX-License-Identifier: Apache-2.0
// Who owns the machine: nobody without a seed, the first seed for ever, and nobody through any other word in SMBIOS.
// A machine of its own, booted four times on one disk.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage } from '../../image/host/build-image.ts';
import { boot, pause, pullPlug, ssh, waitForSsh, type Machine } from '../../image/host/machine.ts';
import { keyPair, type Seed } from '../../image/host/seed.ts';
import { cache } from '../../image/host/workplace.ts';

const dir = join(cache, 'seed-machine');
const key = (name: string) => keyPair(join(cache, 'keys'), `test-${name}`);
const users = { root: key('root'), alice: key('alice'), mallory: key('mallory') };
const ALICE: Seed = { operators: [{ name: 'alice', roles: ['ops'], keys: [key('alice').public] }], agentKeys: [], rootKeys: [key('root').public] };
const MALLORY: Seed = { operators: [{ name: 'mallory', roles: ['ops'], keys: [key('mallory').public] }], agentKeys: [] };

// Each of these makes whoever writes SMBIOS root, or the machine's configurer, on a stock systemd (systemd.system-credentials(7)).
const unit = '[Service]\nType=oneshot\nExecStart=/bin/touch /run/attack-unit\n[Install]\nWantedBy=sysinit.target\n';
const HOSTILE: Readonly<Record<string, string>> = {
  'tmpfiles.extra': 'f /run/attack-tmpfiles 0644 root root - x\n',
  'systemd.extra-unit.attack.service': unit,
  'systemd.unit-dropin.ssh.service~attack': '[Service]\nExecStartPre=/bin/touch /run/attack-dropin\n',
  'systemd.unit-dropin.holdfastd.service': '[Service]\nAppArmorProfile=\n',
  'fstab.extra': 'tmpfs /run/attack-fstab tmpfs defaults 0 0\n',
  'ssh.listen': '0.0.0.0:2222',
  'ssh.authorized_keys.root': key('mallory').public,
  'ssh.ephemeral-authorized_keys-all': key('mallory').public,
  'system.hostname': 'attackhost',
  'system.machine_id': '11111111222222223333333344444444',
  'sysctl.extra': 'vm.swappiness = 33\n',
  'sysusers.extra': 'u attacker 0 "x" /root /bin/bash\n',
  'passwd.plaintext-password.root': 'x',
  'passwd.hashed-password.root': '$y$j9T$x',
  'udev.rules.attack': 'ACTION=="add", RUN+="/bin/touch /run/attack-udev"\n',
  'network.network.attack': '[Match]\nName=*\n[Network]\nAddress=10.66.66.66/24\n',
  'network.dns': '6.6.6.6',
  'getty.ttys.serial': 'ttyS0',
  'login.issue': 'attack',
};
const EFFECTS: Readonly<Record<string, string>> = {
  'a file by tmpfiles.extra': 'test -e /run/attack-tmpfiles',
  'a unit': 'systemctl cat attack.service',
  'a unit that ran': 'test -e /run/attack-unit',
  'a drop-in of sshd': 'systemctl show -P DropInPaths ssh.service | grep -q credentials',
  'a drop-in of holdfastd': 'systemctl show -P DropInPaths holdfastd.service | grep -q credentials',
  'a mount': 'findmnt /run/attack-fstab',
  'another sshd': 'ss -Htln | grep -q :2222',
  'a key of root': 'grep -rqs "$(cat /run/attacker-key)" /root/.ssh /run/ssh-keys',
  'a host name': 'hostname | grep -q attackhost',
  'a machine id': 'grep -q 11111111222222223333333344444444 /etc/machine-id',
  'a sysctl': 'sysctl -n vm.swappiness | grep -qx 33',
  'a user': 'getent passwd attacker',
  'a password': "getent shadow root | cut -d: -f2 | grep -q '[a-z$]'",
  'a udev rule': 'ls /run/udev/rules.d | grep -q attack',
  'an address': 'ip -br address | grep -q 10.66',
  'a getty': 'systemctl is-active serial-getty@ttyS0.service',
};

let image: string;
let machine: Machine | null = null;

async function bootWith(seed: Seed | null, smbios: readonly string[] = []): Promise<Machine> {
  if (machine !== null) {
    pullPlug(machine);
    await machine.exited;
  }
  machine = await boot({ dir, image, seed, users, smbios });
  return machine;
}

const serial = () => readFileSync(join(dir, 'serial.log'), 'latin1');

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
    const words = Object.entries(HOSTILE).map(([name, text]) => `io.systemd.credential.binary:${name}=${Buffer.from(text).toString('base64')}`);
    await waitForSsh(await bootWith(ALICE, words), 300);
    expect((await settled('holdfast log --kind seed.claimed --json')).stdout).toContain('"claimed"');
    ssh(machine!, 'root', 'cat >/run/attacker-key', key('mallory').public);
    // the control: SMBIOS did bring them
    expect(ssh(machine!, 'root', 'cat /sys/firmware/dmi/entries/11-*/raw | tr "\\0" "\\n" | grep -ac io.systemd.credential').stdout.trim()).not.toBe('0');
    const had = Object.entries(EFFECTS).filter(([, test]) => ssh(machine!, 'root', test).status === 0);
    expect(had.map(([effect]) => effect)).toEqual([]);
    expect(ssh(machine!, 'mallory', 'true').stderr).toContain('Permission denied');
  });

  it('stays the owner when another seed comes, and that is on record', async () => {
    ssh(machine!, 'root', 'sync');
    await waitForSsh(await bootWith(MALLORY), 300);
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
    expect(serial()).toContain('the kernel command line is not the one this image was built with');
  });
});
