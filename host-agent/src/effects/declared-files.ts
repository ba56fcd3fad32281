// SPDX-License-Identifier: Apache-2.0
import { constants, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Declared, DeclaredAgent, DeclaredOperator, Problem } from '../config/declared.ts';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import { parseAgentName, parseOperatorName, parsePackName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';

// What holdfast-declare wrote, read strictly: a file that is half written, of another owner, or of an unknown shape is refused as a
// whole (attack A28). Whoever watches keeps what was good before.

const MOST_BYTES = 8 * 1024 * 1024;

export async function readDeclaredAgents(path: string): Promise<Result<Declared>> {
  return readJson(path, declaredOf);
}

export async function readDeclaredOperators(path: string): Promise<Result<readonly DeclaredOperator[]>> {
  return readJson(path, operatorsOf);
}

/** Calls back after the file was replaced; several replacements at once may be one call. Closed by the function it gives back. */
export function watchFile(path: string, changed: () => void): () => void {
  let timer: NodeJS.Timeout | null = null;
  // The folder, not the file: a rename puts a new inode in the file's place.
  const watcher = watch(dirname(path), (_event, name) => {
    if (name !== null && name !== basename(path)) return;
    timer ??= setTimeout(() => {
      timer = null;
      changed();
    }, 50);
  });
  return () => {
    watcher.close();
    if (timer !== null) clearTimeout(timer);
  };
}

async function readJson<T>(path: string, shape: (value: unknown) => Result<T>): Promise<Result<T>> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (!facts.isFile()) return refuse(`cannot read ${path}: it is not a regular file`);
      if (facts.uid !== 0 && facts.uid !== process.getuid?.()) {
        return refuse(`cannot trust ${path}: it belongs to uid ${facts.uid}, not to root`);
      }
      if ((facts.mode & 0o022) !== 0) return refuse(`cannot trust ${path}: others than its owner can write it`);
      if (facts.size > MOST_BYTES) return refuse(`cannot read ${path}: it is larger than ${MOST_BYTES} bytes`);
      const json = parseStrictJson(await file.readFile('utf8'), OWN_LIMITS);
      const read = json.ok ? shape(json.value) : json;
      return read.ok ? read : refuse(`cannot use ${path}: ${read.error}`);
    } finally {
      await file.close();
    }
  } catch (fault) {
    return refuse(`cannot read ${path}: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}

type Shape = { readonly [key: string]: unknown };

function isShape(value: unknown): value is Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function declaredOf(value: unknown): Result<Declared> {
  if (!isShape(value) || !Array.isArray(value['agents']) || !Array.isArray(value['problems'])) {
    return refuse('"agents" or "problems" is missing');
  }
  const agents: DeclaredAgent[] = [];
  for (const item of value['agents']) {
    const agent = agentOf(item);
    if (!agent.ok) return agent;
    if (agents.some((a) => a.name === agent.value.name || a.uid === agent.value.uid)) {
      return refuse(`agent ${agent.value.name}: its name or uid is there twice`);
    }
    agents.push(agent.value);
  }
  const problems = value['problems'];
  if (!problems.every(isProblem)) return refuse('a problem has no file, line and message');
  return accept({ agents, problems });
}

function isProblem(value: unknown): value is Problem {
  return isShape(value) && typeof value['file'] === 'string' && isCount(value['line']) && typeof value['message'] === 'string';
}

function agentOf(value: unknown): Result<DeclaredAgent> {
  if (!isShape(value) || typeof value['name'] !== 'string' || typeof value['pack'] !== 'string') {
    return refuse('an agent without name or pack');
  }
  const name = parseAgentName(value['name']);
  const pack = parsePackName(value['pack']);
  if (!name.ok) return name;
  if (!pack.ok) return pack;
  const { ceiling, limits, peers, peerLabels } = value;
  const limitNames = ['timeoutMs', 'memoryMax', 'tasksMax', 'outputMax'] as const;
  const whole =
    typeof value['id'] === 'string' &&
    typeof value['type'] === 'string' &&
    (value['mode'] === 'mediated' || value['mode'] === 'contained') &&
    isCount(value['uid']) &&
    value['uid'] > 0 &&
    (value['program'] === null || isTexts(value['program'])) &&
    (value['start'] === 'boot' || value['start'] === 'manual') &&
    isTexts(value['capabilities']) &&
    isShape(ceiling) &&
    isTexts(ceiling['allow']) &&
    isTexts(ceiling['deny']) &&
    isShape(limits) &&
    limitNames.every((limit) => isCount(limits[limit])) &&
    typeof value['workspace'] === 'string' &&
    isShape(peers) &&
    typeof peers['agent'] === 'string' &&
    typeof peers['remote'] === 'string' &&
    isShape(peerLabels) &&
    typeof peerLabels['agent'] === 'string' &&
    typeof peerLabels['remote'] === 'string' &&
    typeof value['callLabel'] === 'string' &&
    (value['net'] === null || isNet(value['net'])) &&
    Array.isArray(value['secrets']) &&
    value['secrets'].every(isBinding) &&
    isShape(value['budget']) &&
    [value['budget']['costPerDay'], value['budget']['tokensPerHour']].every((most) => most === null || isCount(most));
  if (!whole) return refuse(`agent ${name.value}: a field is missing or of another kind`);
  // Every field was looked at above.
  return accept(value as unknown as DeclaredAgent);
}

function isNet(value: unknown): boolean {
  if (!isShape(value) || !Array.isArray(value['rules']) || !isShape(value['quota'])) return false;
  const { bytesPerDay, requestsPerDay } = value['quota'];
  return isCount(bytesPerDay) && isCount(requestsPerDay) && value['rules'].every(isHostRule);
}

function isHostRule(value: unknown): boolean {
  if (!isShape(value)) return false;
  const { host, mode, methods, paths, responseMax, upgrades } = value;
  const lists = [methods, paths].every((list) => list === null || isTexts(list));
  return typeof host === 'string' && (mode === 'tunnel' || mode === 'inspect') && lists && isCount(responseMax) && isTexts(upgrades);
}

function isBinding(value: unknown): boolean {
  if (!isShape(value) || !isShape(value['header']) || !Array.isArray(value['hosts'])) return false;
  const { name, agents, placeholder, header } = value;
  const texts = [name, placeholder, header['name'], header['template']].every((text) => typeof text === 'string');
  return texts && isTexts(agents) && value['hosts'].every((at) => isShape(at) && typeof at['host'] === 'string' && isCount(at['port']));
}

function operatorsOf(value: unknown): Result<readonly DeclaredOperator[]> {
  const list = isShape(value) ? value['operators'] : value;
  if (!Array.isArray(list)) return refuse('the list of operators is missing');
  const operators: DeclaredOperator[] = [];
  for (const item of list) {
    if (!isShape(item) || typeof item['name'] !== 'string' || !isCount(item['uid']) || !isTexts(item['roles'])) {
      return refuse('an operator without name, uid or roles');
    }
    const name = parseOperatorName(item['name']);
    if (!name.ok) return name;
    // Root is no person (R104).
    if (item['uid'] === 0 || operators.some((o) => o.uid === item['uid'] || o.name === name.value)) {
      return refuse(`operator ${name.value}: uid ${item['uid']} is root's or there twice`);
    }
    operators.push({ name: name.value, uid: item['uid'], roles: item['roles'] });
  }
  return accept(operators);
}
