// SPDX-License-Identifier: Apache-2.0
// Boots the machines that the VM tests share, one for each file that runs at a time, and ends them after all.
import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { buildImage } from '../../image/host/build-image.ts';
import { digestOf, isRunning, pullPlug } from '../../image/host/machine.ts';
import { bootShared, sharedMachineDir } from './shared-machine.ts';

export default async function setup(project: TestProject): Promise<() => void> {
  const { raw } = await buildImage();
  console.log(`VM tests boot ${raw}\n  sha256 ${digestOf(raw)}`);
  const dirs = Array.from({ length: project.config.maxWorkers }, (_, i) => sharedMachineDir(i + 1));
  // A test may have booted one anew, so the machines that run now are asked for.
  const end = () => dirs.map(isRunning).forEach((running) => running && pullPlug(running));
  end();
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  await Promise.all(dirs.map(bootShared));
  project.provide('machineDirs', dirs);
  return end;
}
