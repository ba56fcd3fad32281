// SPDX-License-Identifier: Apache-2.0
// What a call's sandbox costs: ours, and bubblewrap with the same plan, each started by the same C program in the same run; then
// ours as the runner has it ready, from the moment its call is known. All of them end with call-init and `true`. On this machine.
import { execFileSync } from 'node:child_process';
import { nativeStack } from './native-stack.ts';
import { benchPrograms, timesIn } from './programs.ts';
import { report } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 12);
const PER_ROUND = 10;
/** Long enough for all that it does before it waits. */
const AHEAD_MS = 30;

const programs = await benchPrograms();
const stack = await nativeStack(programs);
const [ours, theirs, ready, spawned]: [number[], number[], number[], number[]] = [[], [], [], []];
try {
  for (let round = -1; round < ROUNDS; round += 1) {
    const times = [
      stack.sandboxes(PER_ROUND),
      stack.bubblewraps(PER_ROUND),
      stack.sandboxes(PER_ROUND, AHEAD_MS),
      timesIn(execFileSync(programs.spawn, [String(PER_ROUND), '--', '/bin/true'], { encoding: 'utf8' })),
    ];
    // The first round warms up the files.
    if (round >= 0) [ours, theirs, ready, spawned].forEach((list, at) => list.push(...times[at]!));
  }
} finally {
  await stack.stop();
}
const spawn = { name: 'fork and exec of /bin/true', samples: spawned };
report([
  { name: 'sandbox of a call, from nothing', unit: 'us', samples: ours, floor: { name: 'bubblewrap with the same plan', samples: theirs }, goal: 1 },
  { name: 'sandbox of a call, from nothing', unit: 'us', samples: ours, floor: spawn, goal: null },
  { name: 'sandbox of a call, kept ready', unit: 'us', samples: ready, floor: spawn, goal: 2 },
]);
