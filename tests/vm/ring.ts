// SPDX-License-Identifier: Apache-2.0
// An agent whose own program tries what the agent's ring must refuse: probe/ring.py under the python of the image.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../image/host/workplace.ts';
import { declare, holdfast, root, until } from './machine.ts';
import { results } from './probe.ts';

let runs = 0;

export function declareRing(agent = 'ring', kind = 'type: task'): void {
  declare(`name: ${agent}\n${kind}\nprogram: [/usr/bin/python3, -I, /workspace/ring.py]\n`);
  const script = `/var/lib/holdfast-workspaces/${agent}/ring.py`;
  root(`cat >${script} && chmod 644 ${script}`, readFileSync(join(repository, 'tests/vm/probe/ring.py'), 'utf8'));
}

/** Starts the agent as an operator does and answers what each act met: `ok` or the errno's name. */
export async function tryInRing(acts: readonly string[], agent = 'ring'): Promise<Record<string, string>> {
  const run = `${process.pid}-${++runs}`;
  const list = `/var/lib/holdfast-workspaces/${agent}/acts`;
  root(`cat >${list} && chmod 644 ${list}`, `${run}\n${acts.join('\n')}\n`);
  const started = holdfast(`agent start ${agent}`);
  if (started.status !== 0) throw new Error(`the ring agent does not start: ${started.stderr}`);
  let ended: number | null = null;
  const said = await until('the ring agent to end', () => {
    const printed = root(`journalctl -q -b -o cat _SYSTEMD_UNIT=holdfast-agent@${agent}.service + UNIT=holdfast-agent@${agent}.service -n 200`);
    const begun = printed.split(`begin ${run}\n`)[1];
    if (begun?.includes(`end ${run}\n`)) return begun;
    const state = root(`systemctl show -P ActiveState holdfast-agent@${agent}.service`).trim();
    // What it printed may reach the journal after its unit has ended.
    if (state !== 'active' && state !== 'activating' && begun === undefined) ended ??= Date.now();
    if (ended !== null && Date.now() > ended + 30_000) throw new Error(`the ring agent ended before it began:\n${printed.slice(-2000)}`);
    return null;
  });
  // It ends of itself; nothing of this run is left when the next one starts.
  await until('its unit to end', () => root(`systemctl show -P ActiveState holdfast-agent@${agent}.service`).trim() !== 'active');
  return results(said);
}
