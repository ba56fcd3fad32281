// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { AgentName } from '../identity/ids.ts';
import { readKeptNames, writeKeptNames } from './kept-names.ts';

/** Which agents ran, over a restart of holdfastd in the same boot: one that ended meanwhile is still to be recorded. */
export type RunningAgents = { readonly before: readonly AgentName[]; readonly keep: (running: readonly AgentName[]) => void };

/** What is kept is a convenience of the record and gives nobody anything, so a file that cannot be read or written stops nothing. */
export function runningAgents(dir: string, boot: string, onFault: (fault: unknown) => void): RunningAgents {
  const path = join(dir, 'running-agents.json');
  const before = readKeptNames(path, boot);
  return {
    before: before.ok ? before.value : [],
    keep: (running) => {
      try {
        writeKeptNames(path, boot, running);
      } catch (fault) {
        onFault(fault);
      }
    },
  };
}
