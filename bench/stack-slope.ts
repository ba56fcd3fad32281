// SPDX-License-Identifier: Apache-2.0
// Do the roles hold on to something at each call? Memory and descriptors of each late in a row of calls against early in it:
// 1 is no slope. The row before it lets heaps and caches grow to their size.
import { readdirSync, readFileSync } from 'node:fs';
import { nativeStack } from './native-stack.ts';
import { benchPrograms } from './programs.ts';
import { report, type Figure } from './report.ts';

const WARM_UP = Number(process.env['WARM_UP'] ?? 500);
const CALLS = Number(process.env['CALLS'] ?? 500);
const STEP = 10;

type Role = 'holdfastd' | 'holdfast-ledger' | 'holdfast-runner';
const KINDS = {
  RSS: { unit: 'KiB', goal: 1.05, read: (pid: number) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) },
  descriptors: { unit: 'open', goal: 1, read: (pid: number) => readdirSync(`/proc/${pid}/fd`).length },
};
type Kind = keyof typeof KINDS;

const stack = await nativeStack(await benchPrograms());
const seen = new Map<string, number[]>();
const each = (visit: (role: Role, kind: Kind) => void): void => {
  for (const role of Object.keys(stack.pids) as Role[]) for (const kind of Object.keys(KINDS) as Kind[]) visit(role, kind);
};
try {
  stack.calls(WARM_UP);
  for (let done = 0; done < CALLS; done += STEP) {
    stack.calls(STEP);
    each((role, kind) => {
      const list = seen.get(`${role} ${kind}`) ?? [];
      seen.set(`${role} ${kind}`, [...list, KINDS[kind].read(stack.pids[role])]);
    });
  }
} finally {
  await stack.stop();
}

const figures: Figure[] = [];
const fifth = Math.floor(CALLS / STEP / 5);
each((role, kind) => {
  const all = seen.get(`${role} ${kind}`)!;
  const { unit, goal } = KINDS[kind];
  figures.push({
    name: `${kind} of ${role} after ${WARM_UP + CALLS} calls`, unit, goal,
    samples: all.slice(-fifth),
    floor: { name: `after ${WARM_UP} calls`, samples: all.slice(0, fifth) },
  });
});
if (process.env['SHOW'] !== undefined) for (const [name, list] of seen) console.error(name, list.join(' '));
report(figures);
