// SPDX-License-Identifier: Apache-2.0
// A restore point against `cp -a --reflink` of the same tree, on the machine's own /var. Without the sandbox that both would need.
import { benchMachine, endBenchMachine } from './machine.ts';
import { report } from './report.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const FILES = Number(process.env['FILES'] ?? 2000);
const HERE = '/var/lib/bench-restore';

const machine = await benchMachine();
machine.root(`rm -rf ${HERE} && mkdir -p ${HERE}/tree ${HERE}/store && cd ${HERE}/tree && for d in $(seq ${FILES / 50}); do mkdir d$d; for f in $(seq 50); do head -c 6000 /dev/zero >d$d/f$f; done; done; sync`);

let made = 0;
function milliseconds(command: string): number {
  return Number(machine.root(`cd ${HERE}; begun=$(date +%s%N); ${command} >/dev/null 2>&1 || exit 1; echo $((($(date +%s%N) - begun) / 1000))`)) / 1000;
}
const point = (): number => {
  made += 1;
  return milliseconds(`/usr/lib/holdfast/file-tool tree point . --store store --id p-${made} --of /workspace --call c --session s --tool t --at 1`);
};

const [first, again, copies]: [number[], number[], number[]] = [[], [], []];
for (let round = 0; round < ROUNDS; round += 1) {
  machine.root(`rm -rf ${HERE}/store ${HERE}/copy && mkdir ${HERE}/store && sleep 1`);
  copies.push(milliseconds('cp -a --reflink=always tree copy && sync -f copy'));
  first.push(point());
  machine.root(`cd ${HERE}/tree && for f in $(seq 10); do echo $RANDOM >>d1/f$f; done`);
  again.push(point());
}
machine.root(`rm -rf ${HERE}`);
const floor = { name: `cp -a --reflink=always of ${FILES} files`, samples: copies };
report([
  { name: `the first restore point of ${FILES} files`, unit: 'ms', samples: first, floor, goal: null },
  { name: 'a restore point after ten of them changed', unit: 'ms', samples: again, floor, goal: null },
]);
if (process.env['KEEP_MACHINE'] === undefined) await endBenchMachine();
