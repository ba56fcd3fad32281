// SPDX-License-Identifier: Apache-2.0
// `make vm-ssh CMD='…'`: runs a command in the running machine as its operator, with this terminal's input and output.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isRunning } from './machine.ts';
import { cache } from './workplace.ts';

const machine = isRunning(join(cache, 'machine'));
if (machine === null) {
  console.error('no machine is running; start one with: make run');
  process.exit(69);
}
const command = process.argv.slice(2).filter((word) => word !== '');
// What asks for a passphrase asks at a terminal.
const terminal = process.stdin.isTTY && process.stdout.isTTY ? ['-t'] : [];
process.exit(spawnSync('ssh', ['-F', machine.sshConfig, ...terminal, 'owner', ...command], { stdio: 'inherit' }).status ?? 70);
