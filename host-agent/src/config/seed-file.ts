// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { type AgentName, type OperatorName, parseAgentName, parseOperatorName } from '../identity/ids.ts';
import type { Problem } from './declared.ts';
import { parseSshKey, printSshKey } from './ssh-key.ts';
import { loadYaml } from './strict-yaml.ts';
import { decodeText } from './text-file.ts';

/** Whom a seed lets in. Keys are lines for authorized_keys, re-written from what was read of them. */
export type Seed = {
  readonly operators: readonly SeedOperator[];
  readonly agentKeys: readonly AgentKeys[];
  readonly rootKeys: readonly string[];
};
type SeedOperator = { readonly name: OperatorName; readonly roles: readonly string[]; readonly keys: readonly string[] };
type AgentKeys = { readonly agent: AgentName; readonly keys: readonly string[] };

export type ParsedSeed =
  | { readonly ok: true; readonly seed: Seed }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export const MAX_OPERATORS = 64;
export const SEED = 'holdfast.seed';
export const ROOT_KEYS = 'holdfast.root-keys';

const ROLE = /^[a-z][a-z0-9_-]{0,30}$/;
const keys = z.array(z.string().max(8192)).min(1).max(16);
const seedFile = z.strictObject({
  operators: z.array(z.strictObject({
    name: z.string(),
    roles: z.array(z.string().regex(ROLE, 'a role is a word of a-z, 0-9, _ and -')).max(16),
    keys,
  })).min(1).max(MAX_OPERATORS),
  'agent-keys': z.array(z.strictObject({ agent: z.string(), keys })).max(64).optional(),
});

/** User names of at most 31 characters are all that utmp and systemd's records hold, and this one is `agent-NAME`. */
const LONGEST_AGENT = 25;

/**
 * Reads a seed whole or not at all. It comes from whoever configures the machine's firmware or hypervisor and decides who is root
 * and who is an operator, so a name of the image's own accounts is refused: a key file for `root` would be a way in as root.
 */
export function parseSeed(seedBytes: Uint8Array, rootKeyBytes: Uint8Array | null, reserved: ReadonlySet<string>): ParsedSeed {
  const text = decodeText(SEED, seedBytes);
  if (!text.ok) return text;
  const loaded = loadYaml(SEED, text.text, seedFile);
  if (!loaded.ok) return loaded;
  const problems: Problem[] = [];
  const complain = (path: readonly PropertyKey[], message: string): void => {
    problems.push({ file: SEED, line: loaded.lineOf(path), message });
  };
  const owners = new Map<string, string>();
  function readKeys(lines: readonly string[], path: readonly PropertyKey[], owner: string): readonly string[] {
    return lines.flatMap((line, i) => {
      const key = parseSshKey(line);
      if (!key.ok) complain([...path, 'keys', i], key.error);
      if (!key.ok) return [];
      const other = owners.get(key.value.blob);
      // R104: a key names one person. An agent that held an operator's key could grant to itself (R5).
      if (other !== undefined) complain([...path, 'keys', i], `this key is also ${other}'s; each needs a key of its own`);
      owners.set(key.value.blob, owner);
      return [printSshKey(key.value)];
    });
  }
  function refuseName(path: readonly PropertyKey[], account: string, again: string | null): void {
    if (account === 'root' || reserved.has(account)) complain(path, `${account} is an account of the image; use another name`);
    if (again !== null) complain(path, `${again} stands here a second time`);
  }

  const operators: SeedOperator[] = [];
  loaded.value.operators.forEach((said, i) => {
    const name = parseOperatorName(said.name);
    if (!name.ok) complain(['operators', i, 'name'], name.error);
    if (!name.ok) return;
    const twice = operators.some((other) => other.name === name.value);
    refuseName(['operators', i, 'name'], name.value, twice ? `the operator ${name.value}` : null);
    const lines = readKeys(said.keys, ['operators', i], `operator ${name.value}`);
    operators.push({ name: name.value, roles: [...new Set(said.roles)], keys: lines });
  });
  const agentKeys: AgentKeys[] = [];
  loaded.value['agent-keys']?.forEach((said, i) => {
    const path = ['agent-keys', i];
    const agent = parseAgentName(said.agent);
    if (!agent.ok) complain([...path, 'agent'], agent.error);
    if (!agent.ok) return;
    if (agent.value.length > LONGEST_AGENT) {
      const most = `an agent with keys has at most ${LONGEST_AGENT} characters`;
      complain([...path, 'agent'], `the user name agent-${agent.value} is too long; ${most}`);
    }
    const twice = agentKeys.some((other) => other.agent === agent.value);
    refuseName([...path, 'agent'], `agent-${agent.value}`, twice ? `the agent ${agent.value}` : null);
    agentKeys.push({ agent: agent.value, keys: readKeys(said.keys, path, `agent ${agent.value}`) });
  });
  const rootKeys = rootKeyBytes === null ? [] : readRootKeys(rootKeyBytes, owners, problems);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, seed: { operators, agentKeys, rootKeys } };
}

function readRootKeys(bytes: Uint8Array, owners: ReadonlyMap<string, string>, problems: Problem[]): readonly string[] {
  const text = decodeText(ROOT_KEYS, bytes);
  if (!text.ok) {
    problems.push(...text.problems);
    return [];
  }
  const keys: string[] = [];
  text.text.split('\n').forEach((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const key = parseSshKey(line);
    const problem = (message: string): void => void problems.push({ file: ROOT_KEYS, line: i + 1, message });
    const owner = key.ok ? owners.get(key.value.blob) : undefined;
    if (!key.ok) problem(key.error);
    else if (owner?.startsWith('agent ')) problem(`this key is also ${owner}'s; root needs a key of its own`);
    else if (keys.length === 16) problem('there are more than 16 keys');
    else keys.push(printSshKey(key.value));
  });
  return keys;
}
