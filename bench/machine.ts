// SPDX-License-Identifier: Apache-2.0
// The virtual machine of the measurements: the image that `make run` boots, entered as root by a key that only its seed enrols.
// Those that need it share one boot.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../image/host/build-image.ts';
import { boot, isRunning, pause, pullPlug, ssh, waitForSsh, type Machine, type MachineOptions } from '../image/host/machine.ts';
import { keyPair } from '../image/host/seed.ts';
import { cache, toolsTree } from '../image/host/workplace.ts';

const dir = join(cache, 'bench-machine');

export type BenchMachine = {
  /** As root; throws when it fails. */
  readonly root: (command: string, input?: string) => string;
  /** `holdfast WORDS` as an operator. */
  readonly holdfast: (words: string, input?: string) => string;
};

/** Who may enter a machine of a measurement. */
export function benchAccess(): Pick<MachineOptions, 'users' | 'seed'> {
  const key = (name: string) => keyPair(join(cache, 'keys'), `bench-${name}`);
  return {
    users: { root: key('root'), bench: key('operator') },
    seed: { operators: [{ name: 'bench', roles: ['ops'], keys: [key('operator').public] }], agentKeys: [], rootKeys: [key('root').public] },
  };
}

export async function benchMachine(): Promise<BenchMachine> {
  toolsTree();
  const running = isRunning(dir);
  if (running !== null) return entered(running);
  rmSync(dir, { recursive: true, force: true });
  const machine = await boot({ dir, image: (await buildImage()).raw, ...benchAccess() });
  await waitForSsh(machine, 300);
  for (let i = 0; i < 120 && ssh(machine, 'root', 'systemctl is-active holdfastd.service').stdout !== 'active\n'; i += 1) await pause(500);
  return entered(machine);
}

function entered(machine: Pick<Machine, 'dir' | 'sshConfig'>): BenchMachine {
  const as = (user: string) => (command: string, input = ''): string => {
    const ran = ssh(machine, user, command, input);
    if (ran.status !== 0) throw new Error(`as ${user}: ${command}\nstatus ${ran.status}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };
  const operator = as('bench');
  return { root: as('root'), holdfast: (words, input) => operator(`holdfast ${words}`, input) };
}

export async function endBenchMachine(): Promise<void> {
  const running = isRunning(dir);
  if (running === null) return;
  pullPlug(running);
  while (isRunning(dir) !== null) await pause(50);
}
