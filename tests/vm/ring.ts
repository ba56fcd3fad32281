// SPDX-License-Identifier: Apache-2.0
// An agent whose own program tries what the agent's ring must refuse: probe/ring.py under the python of the image.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../image/host/workplace.ts';
import { declare, holdfast, root, until } from './machine.ts';
import { results } from './probe.ts';

const WORKSPACE = '/var/lib/holdfast-workspaces/ring';
let runs = 0;

export function declareRing(): void {
  declare('name: ring\ntype: task\nprogram: [/usr/bin/python3, -I, /workspace/ring.py]\n');
  root(`cat >${WORKSPACE}/ring.py && chmod 644 ${WORKSPACE}/ring.py`, readFileSync(join(repository, 'tests/vm/probe/ring.py'), 'utf8'));
}

/** Starts the agent as an operator does and answers what each act met: `ok` or the errno's name. */
export async function tryInRing(acts: readonly string[]): Promise<Record<string, string>> {
  const run = `${process.pid}-${++runs}`;
  root(`cat >${WORKSPACE}/acts && chmod 644 ${WORKSPACE}/acts`, `${run}\n${acts.join('\n')}\n`);
  const started = holdfast('agent start ring');
  if (started.status !== 0) throw new Error(`the ring agent does not start: ${started.stderr}`);
  const said = await until('the ring agent to end', 60, () => {
    const printed = root("journalctl -q -b -o cat _SYSTEMD_UNIT=holdfast-agent@ring.service + UNIT=holdfast-agent@ring.service -n 200");
    const begun = printed.split(`begin ${run}\n`)[1];
    if (begun?.includes(`end ${run}\n`)) return begun;
    const state = root('systemctl show -P ActiveState holdfast-agent@ring.service').trim();
    if (state !== 'active' && state !== 'activating' && begun === undefined) throw new Error(`the ring agent ended before it began:\n${printed.slice(-2000)}`);
    return null;
  });
  // It ends of itself; nothing of this run is left when the next one starts.
  await until('its unit to end', 20, () => root('systemctl show -P ActiveState holdfast-agent@ring.service').trim() !== 'active');
  return results(said);
}
