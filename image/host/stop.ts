// SPDX-License-Identifier: Apache-2.0
// `make stop`: ends the machine that `make run` left, as its power button would; pulls the plug if it does not listen.
import { join } from 'node:path';
import { isRunning, powerDown, pullPlug } from './machine.ts';
import { cache } from './workplace.ts';

const machine = isRunning(join(cache, 'machine'));
if (machine === null) {
  console.log('no machine is running');
} else {
  if (!(await powerDown(machine))) pullPlug(machine);
  console.log('the machine is stopped; `make run` boots it again, with its ledger and workspaces');
}
