// SPDX-License-Identifier: Apache-2.0
// `make audit`: boots the image and prints what three auditors say of it, each finding with its reason: systemd-analyze security of
// all units, recommended sysctl and command line, Lynis. A finding without a reason makes it fail.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, pullPlug, ssh } from '../../image/host/machine.ts';
import { step } from '../../image/host/progress.ts';
import { cache, repository, runInTools } from '../../image/host/workplace.ts';
import { bootShared, sharedMachineDir } from '../vm/shared-machine.ts';
import { kernelLines, lynisLines, unitLines } from './explained.ts';
import { exposures } from './exposures.ts';

let unexplained = 0;

function print(good: boolean, finding: string, reason: string): void {
  if (!good) unexplained++;
  console.log(`${good ? ' ' : '✗'} ${finding}${reason === '' ? '' : `\n      ${reason}`}`);
}

async function lynisArchive(): Promise<string> {
  const dir = join(cache, 'lynis');
  mkdirSync(dir, { recursive: true });
  await runInTools([repository, dir], [join(repository, 'tests/audit/lynis.sh'), dir]);
  return join(dir, 'lynis.tar');
}

function auditUnits(run: (command: string) => string): void {
  console.log('\nUnits (systemd-analyze security; 0 best, 10 worst)');
  const lines = unitLines();
  for (const [unit, exposure] of exposures(run)) {
    const line = lines.find((known) => known.unit === unit);
    print(line !== undefined && exposure <= line.most, `${exposure.toFixed(1)} ${unit}${line && exposure > line.most ? `, more than ${line.most}` : ''}`, line?.reason ?? 'not explained');
  }
}

function auditKernel(run: (command: string) => string): void {
  console.log('\nKernel (sysctl, command line)');
  const words = new Map(run('cat /proc/cmdline').trim().split(' ').map((word) => [word.split('=')[0]!, word.includes('=') ? word.slice(word.indexOf('=') + 1) : 'set']));
  for (const { kind, name, recommended, ours, reason } of kernelLines()) {
    const has = kind === 'cmdline' ? (words.get(name) ?? '-') : run(`sysctl -n ${name}`).trim();
    print(has === ours, `${name}: ${has}${has === recommended ? '' : `, recommended ${recommended}`}${has === ours ? '' : `, expected ${ours}`}`, reason);
  }
}

/** The lines that Lynis wrote to its report: `warning[]=TEST-1234|what|details|solution|`. */
function auditLynis(report: string): void {
  const index = /^hardening_index=(\d+)$/m.exec(report)?.[1];
  const version = /^lynis_version=(\S+)$/m.exec(report)?.[1];
  if (index === undefined) throw new Error('Lynis did not come to its end');
  console.log(`\nLynis ${version}: hardening index ${index} (counts what is installed, not what holds; nothing is installed to raise it)`);
  const lines = lynisLines();
  const used = new Set<unknown>();
  for (const [, kind, test, what, details] of report.matchAll(/^(warning|suggestion)\[\]=([A-Z]+(?:-\d+)?)\|([^|]*)\|([^|]*)\|/gm)) {
    const said = details === '-' ? what! : `${what} (${details})`;
    const line = lines.find((known) => known.test === test && said.includes(known.about));
    used.add(line);
    print(line !== undefined, `${kind} ${test}: ${said}`, line?.reason ?? 'not explained');
  }
  const idle = lines.filter((known) => !used.has(known)).map(({ test }) => test);
  console.log(`  not found this time, though explained: ${idle.join(', ')}`);
}

const archive = await step('fetching Lynis', lynisArchive);
const machineDir = sharedMachineDir(1);
const old = isRunning(machineDir);
if (old !== null) pullPlug(old);
rmSync(machineDir, { recursive: true, force: true });
const machine = await step('booting the image', () => bootShared(machineDir));
try {
  const run = (command: string, input: string | Uint8Array = ''): string => {
    const ran = ssh(machine, 'root', command, input);
    if (ran.status !== 0) throw new Error(`${command}: status ${ran.status}\n${ran.stderr}`);
    return ran.stdout;
  };
  const lynis = 'mkdir -p /run/lynis/plugins && cd /run/lynis && tar -xf - && (sh ./lynis audit system --quick --no-colors --plugin-dir ./plugins --profile ./short.prf '
    + '--logfile ./log --report-file ./report >/dev/null 2>&1 || true) && cat report';
  const report = await step('Lynis looks at the machine (some minutes under emulation)', async () => run(lynis, readFileSync(archive)));
  auditUnits(run);
  auditKernel(run);
  auditLynis(report);
} finally {
  pullPlug(machine);
}
console.log(`\n${unexplained === 0 ? 'every finding is explained' : `${unexplained} findings are not explained`}`);
process.exit(unexplained === 0 ? 0 : 1);
