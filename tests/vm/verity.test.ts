// SPDX-License-Identifier: Apache-2.0
// A byte of the root changes on the disk, from outside while the machine runs, and is still changed at the next boot (C16): nothing reads
// it. The block is the first one, which every boot reads.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { boot, isRunning, monitor, pullPlug, type Machine } from '../../image/host/machine.ts';
import { asRoot, holdfast, machine, root, until } from './machine.ts';
import { bootShared, sharedOptions } from './shared-machine.ts';

const BLOCK = 4096;
const SAYS = 'dm-verity device corrupted';
/** Past the page cache: what is on the disk. */
const read = (device: string): string => `dd if=${device} bs=${BLOCK} count=1 iflag=direct status=none | sha256sum`;
let dir: string;
let data: string;
let offset: number;

/** On the machine's own disk, below all that the machine itself can reach. */
async function onDisk(command: string): Promise<void> {
  for (const words of [command, 'flush']) {
    const said = await monitor({ dir }, 'human-monitor-command', { 'command-line': `qemu-io disk "${words}"` });
    expect(said).not.toMatch(/fail|error|invalid/i);
  }
}

const screen = (): string => readFileSync(join(dir, 'serial.log'), 'latin1');

/** Twice at most: on a busy host an emulated processor can lose its timer as the kernel begins, which then stands still before it has read anything. */
async function bootUntilItStops(): Promise<Machine> {
  for (let tries = 2; ; tries -= 1) {
    const broken = await boot(await sharedOptions(dir));
    try {
      await until('the kernel to stop', () => screen().includes(SAYS));
      return broken;
    } catch (fault) {
      if (tries === 1 || !screen().includes('detected stalls')) throw fault;
      pullPlug(broken);
      await broken.exited;
    }
  }
}

beforeAll(() => {
  dir = machine().dir;
  data = root("lsblk -nrpo PATH,PARTLABEL /dev/vda | awk '$2 ~ /^holdfast_/ { print $1; exit }'").trim();
  offset = 512 * Number(root(`cat /sys/class/block/${data.replace('/dev/', '')}/start`));
  writeFileSync(join(dir, 'block'), Buffer.from(root(`dd if=${data} bs=${BLOCK} count=1 status=none | base64`), 'base64'));
});

it('the machine stops rather than read a changed block, running or booting; with the block as it was it is itself again (C16)', async () => {
  const built = root(read('/dev/mapper/root'));
  expect(root(read(data))).toBe(built);

  await onDisk(`write -P 0x5a ${offset + 2048} 1`);
  // The control: it is there on the disk, for who reads without dm-verity.
  expect(root(read(data))).not.toBe(built);
  asRoot(`timeout 60 ${read('/dev/mapper/root')}`);
  await until('the kernel to stop', () => screen().includes(SAYS));
  await until('the machine to be gone', () => isRunning(dir) === null);

  const broken = await bootUntilItStops();
  expect(screen()).not.toContain('holdfast: ssh host key');
  await onDisk(`write -s ${join(dir, 'block')} ${offset} ${BLOCK}`);
  pullPlug(broken);

  await bootShared(dir);
  expect(root(read('/dev/mapper/root'))).toBe(built);
  expect(holdfast('verify')).toMatchObject({ status: 0 });
});
