// SPDX-License-Identifier: Apache-2.0
// What the command line takes to start and say its version, against the pinned Node with nothing to do. In turns.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { hostAgent } from './programs.ts';
import { report } from './report.ts';

const ROUNDS = 40;
const holdfast = join(hostAgent(), 'bin/holdfast');

function milliseconds(program: string, args: readonly string[]): number {
  const begun = performance.now();
  const ran = spawnSync(program, args, { stdio: 'ignore' });
  if (ran.status !== 0) throw new Error(`${program} ended with ${ran.signal ?? `status ${ran.status}`}`);
  return performance.now() - begun;
}

const ours: number[] = [];
const floor: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  ours.push(milliseconds(holdfast, ['version']));
  floor.push(milliseconds(process.execPath, ['-e', '0']));
}
report([{ name: 'command line start', unit: 'ms', samples: ours, floor: { name: 'node -e 0', samples: floor }, goal: 1.5 }]);
