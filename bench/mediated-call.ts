// SPDX-License-Identifier: Apache-2.0
// What mediation costs: `process.run true` from the client through door, judge, ledger, runner and sandbox to the reply, against
// its bare sandbox and against a bare spawn. On this machine, so without AppArmor; mediated-call-vm.ts has it all.
import { execFileSync } from 'node:child_process';
import { nativeStack } from './native-stack.ts';
import { benchPrograms, timesIn } from './programs.ts';
import { report } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 12);
const PER_ROUND = 10;

const programs = await benchPrograms();
const stack = await nativeStack(programs);
const mediated: number[] = [];
const sandboxed: number[] = [];
const spawned: number[] = [];
try {
  for (let round = -1; round < ROUNDS; round += 1) {
    const times = [
      stack.calls(PER_ROUND),
      stack.sandboxes(PER_ROUND),
      timesIn(execFileSync(programs.spawn, [String(PER_ROUND), '--', '/bin/true'], { encoding: 'utf8' })),
    ];
    // The first round warms up files and compiler.
    if (round >= 0) [mediated, sandboxed, spawned].forEach((list, at) => list.push(...times[at]!));
  }
} finally {
  await stack.stop();
}
const ours = { unit: 'us', samples: mediated, goal: null };
report([
  { ...ours, name: 'process.run true, native, against its bare sandbox', floor: { name: 'the same sandbox from a C program', samples: sandboxed } },
  { ...ours, name: 'process.run true, native, against a bare spawn', floor: { name: 'fork and exec of /bin/true', samples: spawned } },
]);
