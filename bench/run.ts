// SPDX-License-Identifier: Apache-2.0
// `make bench`: every measurement in turn, each a process of its own. `make bench ONLY='decision boot'` for some of them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { endBenchMachine } from './machine.ts';

/** The quick ones first; those that share the virtual machine together. */
const ALL = ['decision', 'shell-risk', 'durable-append', 'cli-start', 'stack-slope', 'sandbox-start', 'mediated-call', 'keyring-read', 'egress', 'mediated-call-vm', 'restore-point-vm', 'boot'];

const wanted = (process.env['ONLY'] ?? '').split(/\s+/).filter((name) => name !== '');
const unknown = wanted.filter((name) => !ALL.includes(name));
if (unknown.length > 0) {
  console.error(`cannot measure ${unknown.join(', ')}; there is: ${ALL.join(', ')}`);
  process.exit(64);
}

let failed = 0;
try {
  for (const name of wanted.length > 0 ? wanted : ALL) {
    if (process.env['JSON'] !== '1') console.log(`\n── ${name}`);
    const ran = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], { stdio: 'inherit', env: { ...process.env, KEEP_MACHINE: '1' } });
    if (ran.status === 0) continue;
    failed += 1;
    console.error(`bench ${name}: ended with ${ran.signal ?? `status ${ran.status}`}`);
  }
} finally {
  await endBenchMachine();
}
process.exit(failed === 0 ? 0 : 1);
