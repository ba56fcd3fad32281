// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { AgentName } from '../identity/ids.ts';
import { readKeptNames, writeKeptNames } from './kept-names.ts';

/** Agents whose start of this boot is over: holdfastd has started them, or a person has started or stopped them. Outlives holdfastd. */
export type BootStarts = { readonly isOver: (agent: AgentName) => boolean; readonly over: (agent: AgentName) => void };

/** Who was stopped must stay stopped: while it cannot be read who that is, every start counts as over, and a person starts who is missing. */
export function bootStarts(dir: string, boot: string, onFault: (fault: unknown) => void): BootStarts {
  const path = join(dir, 'boot-starts.json');
  const before = readKeptNames(path, boot);
  if (!before.ok) onFault(new Error(`no agent is started with this boot: ${before.error}`));
  const over = new Set<AgentName>(before.ok ? before.value : []);
  return {
    isOver: (agent) => !before.ok || over.has(agent),
    over: (agent) => {
      if (over.has(agent)) return;
      over.add(agent);
      try {
        if (before.ok) writeKeptNames(path, boot, [...over]);
      } catch (fault) {
        onFault(fault);
      }
    },
  };
}
