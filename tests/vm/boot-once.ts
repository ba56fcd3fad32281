// SPDX-License-Identifier: Apache-2.0
// Boots the machine that the VM tests share and ends it after them.
import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { buildImage } from '../../image/host/build-image.ts';
import { boot, digestOf, isRunning, pause, pullPlug, ssh, waitForSsh } from '../../image/host/machine.ts';
import { keyPair } from '../../image/host/seed.ts';
import { join } from 'node:path';
import { cache } from '../../image/host/workplace.ts';
import { machineDir } from './machine.ts';

export default async function setup(project: TestProject): Promise<() => void> {
  const image = await buildImage();
  console.log(`VM tests boot ${image.raw}\n  sha256 ${digestOf(image.raw)}`);
  const left = isRunning(machineDir);
  if (left) pullPlug(left);
  rmSync(machineDir, { recursive: true, force: true });
  // A key each: the seed refuses one that would make two persons indistinguishable.
  const key = (name: string) => keyPair(join(cache, 'keys'), `test-${name}`);
  const machine = await boot({
    dir: machineDir,
    image: image.raw,
    users: { root: key('root'), alice: key('alice'), bob: key('bob'), 'agent-laptop': key('laptop'), 'agent-worker': key('worker') },
    seed: {
      operators: [
        { name: 'alice', roles: ['ops'], keys: [key('alice').public] },
        { name: 'bob', roles: [], keys: [key('bob').public] },
      ],
      agentKeys: [
        { agent: 'laptop', keys: [key('laptop').public] },
        { agent: 'worker', keys: [key('worker').public] },
      ],
      rootKeys: [key('root').public],
    },
  });
  await waitForSsh(machine, 300);
  for (let i = 0; i < 90 && ssh(machine, 'alice', 'holdfast agent list').status !== 0; i++) await pause(1000);
  project.provide('machineDir', machineDir);
  return () => pullPlug(machine);
}
