// SPDX-License-Identifier: Apache-2.0
// `make stop`: ends the machine that `make run` left, as its power button would; pulls the plug if it does not listen.
import { connect } from 'node:net';
import { join } from 'node:path';
import { isRunning, pause, pullPlug } from './machine.ts';
import { cache } from './workplace.ts';

const machine = isRunning(join(cache, 'machine'));
if (machine === null) {
  console.log('no machine is running');
} else {
  const monitor = connect(join(machine.dir, 'monitor.sock'));
  monitor.on('error', () => undefined);
  monitor.write('{"execute":"qmp_capabilities"}\n{"execute":"system_powerdown"}\n');
  for (let i = 0; i < 60 && isRunning(machine.dir); i++) await pause(500);
  if (isRunning(machine.dir)) pullPlug(machine);
  monitor.destroy();
  console.log('the machine is stopped; `make run` boots it again');
}
