// SPDX-License-Identifier: Apache-2.0
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseStrictJson } from '../door/strict-json.ts';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { isObject } from '../ledger/shape.ts';

/** Agents' names that were kept in this boot. No file, or another boot's, is an empty list; one that cannot be read is a refusal. */
export function readKeptNames(path: string, boot: string): Result<readonly AgentName[]> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'ENOENT' ? accept([]) : refuse(`cannot read ${path}: ${String(fault)}`);
  }
  const read = parseStrictJson(text);
  if (!read.ok || !isObject(read.value) || typeof read.value['boot'] !== 'string') return refuse(`cannot use ${path}: it does not have its form`);
  if (read.value['boot'] !== boot) return accept([]);
  if (!Array.isArray(read.value['agents'])) return refuse(`cannot use ${path}: it names no agents`);
  const names: AgentName[] = [];
  for (const item of read.value['agents']) {
    const name = parseAgentName(String(item));
    if (!name.ok) return refuse(`cannot use ${path}: ${name.error}`);
    names.push(name.value);
  }
  return accept(names);
}

/** Whole or not at all, also when the writer is killed. /run is memory, so there is no disk to wait for. */
export function writeKeptNames(path: string, boot: string, agents: readonly AgentName[]): void {
  writeFileSync(`${path}.new`, `${JSON.stringify({ boot, agents })}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
