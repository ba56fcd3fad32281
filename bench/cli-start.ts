// SPDX-License-Identifier: Apache-2.0
// What the command line takes to start: `holdfast version` of the binary that the image gets, against bare Node doing nothing.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { benchPrograms, hostAgent, timesIn } from './programs.ts';
import { report } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 10);
const PER_ROUND = 5;

const { spawn } = await benchPrograms();
const starts = (...command: readonly string[]): readonly number[] =>
  timesIn(execFileSync(spawn, [String(PER_ROUND), '--', ...command], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } })).map((us) => us / 1000);

const holdfast = join(hostAgent(), 'bin/holdfast');
const [ours, bare]: [number[], number[]] = [[], []];
for (let round = -1; round < ROUNDS; round += 1) {
  const times = [starts(holdfast, 'version'), starts(process.execPath, '-e', '0')] as const;
  if (round < 0) continue;
  ours.push(...times[0]);
  bare.push(...times[1]);
}
report([{ name: 'start of the command line', unit: 'ms', samples: ours, floor: { name: 'node -e 0, the same Node', samples: bare }, goal: 1.5 }]);
