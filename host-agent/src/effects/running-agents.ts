// SPDX-License-Identifier: Apache-2.0
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseStrictJson } from '../door/strict-json.ts';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import { isObject } from '../ledger/shape.ts';

/** Which agents ran, over a restart of holdfastd in the same boot: one that ended meanwhile is still to be recorded. */
export type RunningAgents = { readonly before: readonly AgentName[]; readonly keep: (running: readonly AgentName[]) => void };

/** What is kept is a convenience of the record and gives nobody anything, so a file that cannot be read or written stops nothing. */
export function runningAgents(dir: string, boot: string, onFault: (fault: unknown) => void): RunningAgents {
  const path = join(dir, 'running-agents.json');
  return {
    before: load(path, boot),
    keep: (running) => {
      try {
        writeFileSync(`${path}.new`, `${JSON.stringify({ boot, running })}\n`, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch (fault) {
        onFault(fault);
      }
    },
  };
}

function load(path: string, boot: string): readonly AgentName[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  const read = parseStrictJson(text);
  if (!read.ok || !isObject(read.value) || read.value['boot'] !== boot || !Array.isArray(read.value['running'])) return [];
  return read.value['running'].flatMap((name) => {
    const parsed = parseAgentName(String(name));
    return parsed.ok ? [parsed.value] : [];
  });
}
