// SPDX-License-Identifier: Apache-2.0
// Secrets that a machine opens by itself, by a key sealed to its TPM 2.0 (R43), and stays closed elsewhere (D12). A machine of its own, whose
// disk is booted with the emulated TPM it had, with another, and with the first again.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boot, isRunning, pause, pullPlug, ssh, waitForSsh, type Machine, type MachineOptions } from '../../image/host/machine.ts';
import { cache } from '../../image/host/workplace.ts';
import { PATIENCE_S, until, type Ran } from './machine.ts';
import { PASSPHRASE } from './secret-store.ts';
import { sharedOptions } from './shared-machine.ts';

const dir = join(cache, 'tpm-machine');
const OWN = 'tpm-own';
const OTHER = 'tpm-other';
const AT = '/run/test-secrets';
const SECRETD = 'holdfast-secretd.service';

type Status = { readonly state: string; readonly slots: readonly string[]; readonly credential: boolean; readonly machineKey: { readonly from: string; readonly tpm: boolean; readonly why: string | null } };

let options: MachineOptions;
let machine: Machine;

async function bootWith(tpm: string): Promise<void> {
  while (isRunning(dir) !== null) await pause(100);
  machine = await boot({ ...options, tpm });
  await waitForSsh(machine, 300);
  await until('holdfast-secretd to answer', () => holdfast('secret status').status === 0);
}

async function reboot(tpm: string): Promise<void> {
  root('sync');
  pullPlug(machine);
  await machine.exited;
  await bootWith(tpm);
}

/** 255 is ssh's own: on a busy machine a first connection of a user may not be made in its time. */
function as(user: string, command: string, input = ''): Ran {
  for (const end = Date.now() + PATIENCE_S * 1000; ; ) {
    const ran = ssh(machine, user, command, input);
    if (ran.status !== 255 || Date.now() > end || isRunning(dir) === null) return ran;
  }
}
const holdfast = (words: string, input = ''): Ran => as('alice', `holdfast ${words}`, input);
function root(command: string): string {
  const ran = as('root', command);
  if (ran.status !== 0) throw new Error(`as root: ${command}\nstatus ${ran.status}\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}
function must(words: string, input = ''): string {
  const ran = holdfast(words, input);
  if (ran.status !== 0) throw new Error(`holdfast ${words}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}
const status = (): Status => JSON.parse(must('secret status --json')) as Status;
const onPartition = (command: string): string => root(`mkdir ${AT} && mount $(cat /run/holdfast-secret-device) ${AT} && { ${command}; sync; umount ${AT}; rmdir ${AT}; }`);
const closings = (): string => must('log --kind secret.closed --json');

/** holdfast-secretd anew, as at each start of the machine. */
async function secretdAnew(state: string): Promise<Status> {
  root(`systemctl reset-failed; systemctl restart ${SECRETD}`);
  return until(`secrets to be ${state}`, () => {
    const now = status();
    return now.state === state && now;
  });
}

function closedBecause(why: RegExp): void {
  expect(status().machineKey).toMatchObject({ from: 'failed', why: expect.stringMatching(why) });
  const said = must('secret status');
  expect(said).toMatch(/locked; open them with: holdfast secret unlock/);
  expect(said.replaceAll(/\s+/g, ' ')).toMatch(why);
  expect(said).toContain('holdfast secret key credential');
  expect(holdfast('status').stdout.replaceAll(/\s+/g, ' ')).toMatch(why);
}

beforeAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  options = await sharedOptions(dir);
  await bootWith(OWN);
});
afterAll(() => pullPlug(machine));

describe('a machine with a TPM 2.0', () => {
  it('does not open its secrets by itself until somebody asks for it, and says that it could', async () => {
    expect(must('secret init', PASSPHRASE)).toContain('holdfast secret key credential');
    must('secret set A_KEY --agent demo --host api.example.com', 'a-value-of-a-key');
    expect(onPartition(`ls ${AT}`)).not.toContain('machine-key');
    expect(await secretdAnew('locked')).toMatchObject({ slots: ['passphrase', 'recovery'], credential: false, machineKey: { from: 'none', tpm: true, why: null } });
    must('secret unlock', PASSPHRASE);
  });

  it('asked for it, seals a key to the TPM, and holdfast-secretd opens with it, with nobody there', async () => {
    expect(must('secret key credential')).toContain('sealed to its TPM');
    expect(await secretdAnew('open')).toMatchObject({ slots: ['passphrase', 'recovery', 'credential'], credential: true, machineKey: { from: 'sealed', tpm: true, why: null } });
    expect(must('log --kind secret.unlocked --json')).toContain('"credential"');
    expect(root(`systemctl --failed --no-legend --plain`)).toBe('');
    // On its way it lay in folders of /run; what is left there is sealed, or root's alone.
    expect(root('ls -A /run/holdfast-secret-store/in /run/holdfast-secret-store/out /run/holdfast-secret-store').split('\n').filter((name) => /key|seal/.test(name)).sort()).toEqual(['sealed', 'secret-key']);
    expect(root('stat -c "%U %a" /run/holdfast-secret-store/sealed /run/holdfast-secret-store/secret-key')).toBe('root 600\nroot 400\n');
    // The key is on no disk: the control finds the sealed one with the same look.
    const look = (what: string): string => root(`grep -rlF "$(head -c 40 ${what} | od -An -tx1 | tr -d ' \\n')" /run/hexed || true`).trim();
    onPartition(`mkdir /run/hexed && for f in ${AT}/*; do [ ! -f $f ] || od -An -v -tx1 $f | tr -d ' \\n' >/run/hexed/\${f##*/}; done`);
    expect(look('/run/holdfast-secret-store/sealed')).toBe('/run/hexed/machine-key');
    expect(look('/run/holdfast-secret-store/secret-key')).toBe('');
    root('rm -r /run/hexed');
  });

  it('gives its TPM to one small unit of root\'s: to nobody else, and not to holdfast-secretd', () => {
    expect(root('stat -c "%U %G %a" /dev/tpm0 /dev/tpmrm0')).toBe('root root 600\nroot root 600\n');
    const ask = "python3 -I -c 'import os; os.open(\"/dev/tpmrm0\", os.O_RDWR); print(\"opened\")' 2>&1 | tail -1";
    expect(root(ask)).toBe('opened\n');
    for (const user of ['holdfast-secret', 'holdfast', 'holdfast-egress', 'alice']) expect(root(`setpriv --reuid ${user} --regid nogroup --clear-groups ${ask}`), user).toContain('Permission denied');
    const pid = root(`systemctl show -P MainPID ${SECRETD}`).trim();
    expect(root(`ls /proc/${pid}/root/dev`)).not.toContain('tpm');
    // Root within our own profiles: the one that mounts is not given it. In the profile of the unit that has it, it is.
    expect(root('aa-exec -p holdfast-secret-store -- dash -c ": <>/dev/tpmrm0" 2>&1 || true')).toContain('Permission denied');
    expect(root('aa-exec -p holdfast-secret-key -- dash -c ": <>/dev/tpmrm0" 2>&1 || true')).toBe('');
    expect(root('journalctl -q -b --no-pager -g "apparmor=.DENIED.*holdfast-secret-key" || true')).toBe('');
  });

  it('is closed when one byte of the sealed key was changed on the disk, or another key lies there, and says why', async () => {
    const change = (how: string): string => onPartition(`cp ${AT}/machine-key ${AT}/kept; ${how}`);
    const back = (): string => onPartition(`mv ${AT}/kept ${AT}/machine-key`);
    const ways = {
      'a byte': `b=$(dd if=${AT}/machine-key bs=1 skip=300 count=1 status=none); [ "$b" = A ] && b=B || b=A; printf %s $b | dd of=${AT}/machine-key bs=1 seek=300 conv=notrunc status=none`,
      // systemd-creds(1) knows keys that need no TPM.
      'a key without a TPM': `head -c 32 /dev/zero | systemd-creds encrypt --with-key=null --name=holdfast.secret-key - - >${AT}/machine-key`,
      nothing: `: >${AT}/machine-key`,
      'a link': `ln -sfn /etc/passwd ${AT}/machine-key`,
    };
    for (const how of Object.values(ways)) {
      change(how);
      try {
        await secretdAnew('locked');
        closedBecause(/does not open the sealed key/);
      } finally {
        back();
      }
    }
    // The control: as it was, it opens.
    await secretdAnew('open');
  });

  it('opens it at the next start of the machine, with nobody there', async () => {
    await reboot(OWN);
    await until('secrets to be open', () => status().state === 'open');
    expect(status().machineKey).toMatchObject({ from: 'sealed', why: null });
    expect(root('systemctl --failed --no-legend --plain')).toBe('');
  });

  it('whose start the TPM has seen to be another one keeps them closed', async () => {
    // TPM2_PCR_Extend of PCR 4, as a firmware does for each program that it starts (TPM 2.0 part 3, 22.2).
    const extend = 'import os, struct; f = os.open("/dev/tpm0", os.O_RDWR); body = struct.pack(">III", 0x182, 4, 9) + struct.pack(">IHBH", 0x40000009, 0, 0, 0) + struct.pack(">IH", 1, 0x0b) + bytes(range(32)); os.write(f, struct.pack(">HI", 0x8002, 6 + len(body)) + body); print(os.read(f, 4096)[6:10].hex())';
    expect(root(`python3 -I -c '${extend}'`)).toBe('00000000\n');
    await secretdAnew('locked');
    closedBecause(/started with another firmware, boot loader or image/);
  });
});

describe('its disk with the TPM of another machine (D12)', () => {
  it('is up and closed, says why, and opens for who knows the passphrase', async () => {
    const before = closings().length;
    await reboot(OTHER);
    expect(status()).toMatchObject({ state: 'locked', credential: false, machineKey: { from: 'failed', tpm: true } });
    closedBecause(/the TPM of another machine/);
    await until('it to be on record', () => closings().length > before);
    expect(closings()).toContain('TPM of another machine');
    expect(root('systemctl --failed --no-legend --plain')).toBe('');
    must('secret unlock', PASSPHRASE);
    expect(status().state).toBe('open');
  });

  it('opens again in the machine that it belongs to, until that is taken back', async () => {
    await reboot(OWN);
    await until('secrets to be open', () => status().state === 'open');
    must('secret key credential --remove');
    expect(await secretdAnew('locked')).toMatchObject({ slots: ['passphrase', 'recovery'] });
    expect(must('secret status')).not.toContain('not opened by this machine');
  });
});
