// SPDX-License-Identifier: Apache-2.0
// From the start of QEMU to a machine that can be used, our image beside a stock Debian 13 (bench/stock): the same QEMU, processors,
// memory and accelerator, in turns, alone on the disk it claimed or installed before. Seen from the host alone. A machine
// counts as ready when root's key has run `true` over ssh; ours also when an operator has had an answer from holdfastd.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../image/host/build-image.ts';
import { accelerator, answersSsh, boot, pause, pullPlug, type Machine, type MachineOptions } from '../image/host/machine.ts';
import { cache, toolsTree } from '../image/host/workplace.ts';
import { benchAccess } from './machine.ts';
import { remark, report } from './report.ts';
import { buildStock } from './stock/build-stock.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 4);
const PATIENCE_MS = 300_000;

type System = { readonly options: MachineOptions; readonly operator: string | null };
/** Seconds from the start of QEMU. */
type Boot = { readonly login: number; readonly answer: number };

toolsTree();
const access = benchAccess();
const image = (await buildImage()).raw;
const stock = await buildStock(access.users['root']!.public);
// Asked of our image, as everywhere else; the stock one gets the same.
const common = { accelerator: await accelerator(image), memoryMiB: 2048 };
const systems = {
  ours: { options: { ...common, ...access, image, dir: join(cache, 'bench-boot-ours') }, operator: 'bench' },
  stock: { options: { ...common, users: access.users, seed: null, image: stock, dir: join(cache, 'bench-boot-stock') }, operator: null },
} satisfies Record<string, System>;

async function timeOf({ options, operator }: System): Promise<Boot> {
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const machine = await boot(options);
  try {
    await until(machine, seconds, () => answersSsh(machine.port));
    await until(machine, seconds, () => Promise.resolve(runs(machine, 'root', 'true')));
    const login = seconds();
    if (operator !== null) await until(machine, seconds, () => Promise.resolve(runs(machine, operator, 'holdfast status --json')));
    const answer = seconds();
    // The next boot finds a disk that was left in order.
    runs(machine, 'root', 'systemctl poweroff');
    await Promise.race([machine.exited, pause(120_000)]);
    return { login, answer };
  } finally {
    pullPlug(machine);
    await machine.exited;
  }
}

async function until(machine: Machine, seconds: () => number, holds: () => Promise<boolean>): Promise<void> {
  let ended = false;
  void machine.exited.then(() => (ended = true));
  while (!(await holds())) {
    await pause(50);
    if (ended || seconds() * 1000 > PATIENCE_MS) throw new Error(`the machine in ${machine.dir} ${ended ? 'ended' : 'did not become ready'}; see its serial.log`);
  }
}

/** With a connection of its own. Nobody but this machine is behind the port, so the first key met is pinned. */
function runs(machine: Machine, user: string, command: string): boolean {
  const options = ['ControlMaster=no', 'ControlPath=none', 'StrictHostKeyChecking=accept-new'].flatMap((option) => ['-o', option]);
  return spawnSync('ssh', ['-F', machine.sshConfig, ...options, user, command], { stdio: 'ignore' }).status === 0;
}

const times = { ours: [] as Boot[], stock: [] as Boot[] };
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const name of ['stock', 'ours'] as const) {
    const system = systems[name];
    if (round === 0) rmSync(system.options.dir, { recursive: true, force: true });
    const each = await timeOf(system);
    if (process.env['SHOW'] !== undefined) console.error(name, round, each);
    times[name].push(each);
  }
}

const of = (system: 'ours' | 'stock', when: 'first' | 'later', what: keyof Boot) =>
  times[system].slice(when === 'first' ? 0 : 1, when === 'first' ? 1 : undefined).map((each) => each[what]);
const floor = (when: 'first' | 'later') => ({ name: 'stock Debian 13: login', samples: of('stock', when, 'login') });
report([
  { name: 'boot to a login over ssh', unit: 's', samples: of('ours', 'later', 'login'), floor: floor('later'), goal: 0.8 },
  { name: 'boot to an answer to an operator', unit: 's', samples: of('ours', 'later', 'answer'), floor: floor('later'), goal: 0.8 },
  { name: 'first boot of all to a login over ssh', unit: 's', samples: of('ours', 'first', 'login'), floor: floor('first'), goal: null },
]);
remark(`${common.accelerator === 'kvm' ? 'under KVM' : 'under emulation, where a second of boot is nearly all processor'}; 2 processors, ${common.memoryMiB} MiB each`);
remark('the first boot of ours makes file systems and keys and is claimed; the stock disk has had all that when it was installed');
