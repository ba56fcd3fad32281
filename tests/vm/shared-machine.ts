// SPDX-License-Identifier: Apache-2.0
// How a machine that VM tests share is booted: first by boot-once.ts, and again on the same disk by a test that cut its power.
import { join } from 'node:path';
import { buildImage } from '../../image/host/build-image.ts';
import { boot, isRunning, pause, ssh, waitForSsh, type Machine, type MachineOptions } from '../../image/host/machine.ts';
import { keyPair, type KeyPair } from '../../image/host/seed.ts';
import { cache } from '../../image/host/workplace.ts';

/** Folder of the machine whose tests run in one of the workers of the test runner; they count from 1. */
export function sharedMachineDir(worker: number): string {
  return join(cache, `test-machine-${worker}`);
}

/** A key each: the seed refuses one that would make two persons indistinguishable. */
export function testKey(name: string): KeyPair {
  return keyPair(join(cache, 'keys'), `test-${name}`);
}

export async function sharedOptions(dir: string): Promise<MachineOptions> {
  const { raw } = await buildImage();
  return {
    dir,
    image: raw,
    users: { root: testKey('root'), alice: testKey('alice'), bob: testKey('bob'), 'agent-laptop': testKey('laptop'), 'agent-worker': testKey('worker') },
    seed: {
      operators: [
        { name: 'alice', roles: ['ops'], keys: [testKey('alice').public] },
        { name: 'bob', roles: [], keys: [testKey('bob').public] },
      ],
      agentKeys: [
        { agent: 'laptop', keys: [testKey('laptop').public] },
        { agent: 'worker', keys: [testKey('worker').public] },
      ],
      rootKeys: [testKey('root').public],
    },
  };
}

export async function bootShared(dir: string): Promise<Machine> {
  while (isRunning(dir)) await pause(100);
  const machine = await boot(await sharedOptions(dir));
  await waitForSsh(machine, 300);
  for (let i = 0; i < 90 && ssh(machine, 'alice', 'holdfast agent list').status !== 0; i++) await pause(1000);
  return machine;
}
