// SPDX-License-Identifier: Apache-2.0
// Boots the machine that the VM tests share and ends it after them.
import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { buildImage } from '../../image/host/build-image.ts';
import { digestOf, isRunning, pullPlug } from '../../image/host/machine.ts';
import { bootShared, machineDir } from './shared-machine.ts';

export default async function setup(project: TestProject): Promise<() => void> {
  const { raw } = await buildImage();
  console.log(`VM tests boot ${raw}\n  sha256 ${digestOf(raw)}`);
  end();
  rmSync(machineDir, { recursive: true, force: true });
  await bootShared();
  project.provide('machineDir', machineDir);
  // A test may have booted it anew, so the one that runs now is asked for.
  return end;
}

function end(): void {
  const running = isRunning(machineDir);
  if (running) pullPlug(running);
}
