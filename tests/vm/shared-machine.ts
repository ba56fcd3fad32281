// SPDX-License-Identifier: Apache-2.0
// How the machine that the VM tests share is booted: first by boot-once.ts, and again on the same disk by a test that cut its power.
import { join } from 'node:path';
import { buildImage } from '../../image/host/build-image.ts';
import { boot, isRunning, pause, ssh, waitForSsh, type Machine } from '../../image/host/machine.ts';
import { keyPair, type KeyPair } from '../../image/host/seed.ts';
import { cache } from '../../image/host/workplace.ts';

export const machineDir = join(cache, 'test-machine');

/** A key each: the seed refuses one that would make two persons indistinguishable. */
export function testKey(name: string): KeyPair {
  return keyPair(join(cache, 'keys'), `test-${name}`);
}

export async function bootShared(): Promise<Machine> {
  while (isRunning(machineDir)) await pause(100);
  const { raw } = await buildImage();
  const machine = await boot({
    dir: machineDir,
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
  });
  await waitForSsh(machine, 300);
  for (let i = 0; i < 90 && ssh(machine, 'alice', 'holdfast agent list').status !== 0; i++) await pause(1000);
  return machine;
}
