// SPDX-License-Identifier: Apache-2.0
import { parseAgentName, type CallId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isPlainPath, whyNotBindable, WORKSPACE } from './bindable.ts';
import { isContainerName, isImageName } from './container-name.ts';
import { isOwnPlace, seesTooMuch } from './own-plan.ts';
import { ROOTS } from './image-paths.ts';
import { MOST_SECRETS, readSecretNames } from './secret-descriptors.ts';
import type { Binding, CallLimits, ContainerAsk, Permit, SandboxPlan, TerminalSize } from './permit.ts';

// The runner's own reading of what holdfastd sends. Exact: an unknown or missing field is refused, so that what was hashed into
// the receipt is all there is to act on. Bindings are judged once more here: a plan is data, and data can be wrong.

const HEX_64 = /^[0-9a-f]{64}$/;
const TEXT_MAX = 128 * 1024;

export function parsePermit(value: JsonValue): Result<Permit> {
  const o = exactly(value, ['v', 'call', 'agent', 'tool', 'plan', 'stdin', 'notAfter']);
  if (o === null || o['v'] !== 1) return refuse('cannot read the permit: wrong fields or version');
  const agent = parseAgentName(textOf(o['agent'], 64) ?? '');
  const call = textOf(o['call'], 64);
  const tool = textOf(o['tool'], 64);
  const plan = parsePlan(o['plan'] ?? null, tool ?? '');
  const stdin = parseStdin(o['stdin'] ?? null);
  const notAfter = countOf(o['notAfter']);
  if (!agent.ok) return agent;
  if (!plan.ok) return plan;
  // The call's id names its control group.
  if (call === null || !/^[A-Za-z0-9_-]{1,64}$/.test(call)) return refuse('cannot read the permit: call is not an id');
  if (tool === null || stdin === undefined || notAfter === null) return refuse('cannot read the permit: tool, stdin or notAfter');
  return accept({ v: 1, call: call as CallId, agent: agent.value, tool, plan: plan.value, stdin, notAfter });
}

function parsePlan(value: JsonValue, tool: string): Result<SandboxPlan> {
  const fields = ['kind', 'root', 'argv', 'cwd', 'env', 'bindings', 'hidden', 'limits'];
  const o = exactly(value, fields) ?? exactly(value, [...fields, 'container']) ?? exactly(value, [...fields, 'terminal']) ?? exactly(value, [...fields, 'secrets']);
  const kind = o?.['kind'];
  const root = ROOTS.find((known) => known === o?.['root']);
  if (o === null || (kind !== 'file' && kind !== 'process' && kind !== 'container')) return refuse('cannot read the plan: wrong fields or kind');
  const container = parseContainer(o['container']);
  if (root === undefined) return refuse('cannot read the plan: unknown root');
  const argv = listOf(o['argv'], 4096, (a) => textOf(a, TEXT_MAX));
  const cwd = textOf(o['cwd'], 4095);
  const env = textsOf(o['env'] ?? null);
  const bindings = listOf(o['bindings'], 64, parseBinding);
  const hidden = listOf(o['hidden'], 64, (h) => textOf(h, 4095));
  const limits = parseLimits(o['limits'] ?? null);
  const terminal = o['terminal'] === undefined ? undefined : parseTerminal(o['terminal']);
  const secrets = o['secrets'] === undefined ? undefined : parseSecrets(o['secrets']);
  if (argv === null || argv.length === 0) return refuse('cannot read the plan: argv is not a list of texts');
  if (kind === 'file' && argv[0] !== 'file-tool') return refuse('cannot read the plan: a file call runs the file tool only');
  if (cwd === null || !isPlainPath(cwd)) return refuse('cannot read the plan: cwd is not a plain absolute path');
  if (terminal === null || (terminal !== undefined && kind !== 'process')) return refuse('cannot read the plan: terminal');
  if (secrets === null || (secrets !== undefined && kind !== 'process')) return refuse('cannot read the plan: secrets');
  if (env === null || limits === null) return refuse('cannot read the plan: env or limits');
  if (bindings === null) return refuse('cannot read the plan: bindings');
  if (hidden === null || !hidden.every(isPlainPath)) return refuse('cannot read the plan: hidden is not a list of plain absolute paths');
  for (const b of bindings) {
    const why = isOwnPlace(tool, kind, b.path) ? null : whyNotBindable(b.path);
    if (why !== null) return refuse(`cannot follow the plan: ${why}`);
    if (seesTooMuch(tool, kind, b.path)) return refuse(`cannot follow the plan: a program run for ${tool} sees the workspace at most, not ${b.path}`);
  }
  if ((kind === 'container') !== (container !== undefined)) return refuse('cannot read the plan: only a container has an image and a name');
  const plan: SandboxPlan = { kind, root, argv, cwd, env, bindings, hidden, limits };
  if (container === undefined) return accept({ ...plan, ...(terminal === undefined ? {} : { terminal }), ...(secrets === undefined ? {} : { secrets }) });
  if (container === null) return refuse('cannot read the plan: name or image of the container');
  if (hidden.length > 0 || !bindings.every((b) => b.path === WORKSPACE)) return refuse('cannot follow the plan: a container sees the workspace at most');
  return accept({ ...plan, container });
}

/** undefined where there is none, null where it has the wrong form. */
function parseContainer(value: JsonValue | undefined): ContainerAsk | null | undefined {
  if (value === undefined) return undefined;
  const o = exactly(value, ['name', 'image']);
  const [name, image] = [textOf(o?.['name'], 64), textOf(o?.['image'], 71)];
  return name !== null && image !== null && isContainerName(name) && isImageName(image) ? { name, image } : null;
}

function parseSecrets(value: JsonValue): readonly string[] | null {
  const names = listOf(value, MOST_SECRETS, (name) => textOf(name, 64));
  const read = names === null ? null : readSecretNames(names);
  return read?.ok === true ? read.value : null;
}

const SIDE_MAX = 1000;

function parseTerminal(value: JsonValue): TerminalSize | null {
  const o = exactly(value, ['columns', 'rows']);
  const [columns, rows] = [countOf(o?.['columns']), countOf(o?.['rows'])];
  if (columns === null || rows === null || columns < 1 || rows < 1 || columns > SIDE_MAX || rows > SIDE_MAX) return null;
  return { columns, rows };
}

function parseBinding(value: JsonValue): Binding | null {
  const o = exactly(value, ['path', 'access']) ?? exactly(value, ['path', 'access', 'is']);
  const path = textOf(o?.['path'], 4095);
  const access = o?.['access'];
  const is = o?.['is'];
  if (path === null || (access !== 'ro' && access !== 'rw')) return null;
  if (is === undefined) return { path, access };
  return is === 'directory' || is === 'file' ? { path, access, is } : null;
}

function parseLimits(value: JsonValue): CallLimits | null {
  const o = exactly(value, ['timeoutMs', 'memoryMax', 'tasksMax', 'outputMax']);
  const [timeoutMs, memoryMax] = [countOf(o?.['timeoutMs']), countOf(o?.['memoryMax'])];
  const [tasksMax, outputMax] = [countOf(o?.['tasksMax']), countOf(o?.['outputMax'])];
  if (timeoutMs === null || memoryMax === null || tasksMax === null || outputMax === null) return null;
  return { timeoutMs, memoryMax, tasksMax, outputMax };
}

/** undefined when it has the wrong form. */
function parseStdin(value: JsonValue): Permit['stdin'] | undefined {
  if (value === null) return null;
  const o = exactly(value, ['digest', 'size']);
  const [digest, size] = [textOf(o?.['digest'], 64), countOf(o?.['size'])];
  return digest === null || !HEX_64.test(digest) || size === null ? undefined : { digest, size };
}

function exactly(value: JsonValue, keys: readonly string[]): JsonObject | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const found = Object.keys(value);
  return found.length === keys.length && keys.every((k) => Object.hasOwn(value, k)) ? (value as JsonObject) : null;
}

/** NUL would end an argument early in the kernel's eyes (A04). */
function textOf(value: JsonValue | undefined, max: number): string | null {
  return typeof value === 'string' && value.length <= max && !value.includes('\0') ? value : null;
}

function countOf(value: JsonValue | undefined): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function listOf<T>(value: JsonValue | undefined, max: number, one: (value: JsonValue) => T | null): readonly T[] | null {
  if (!Array.isArray(value) || value.length > max) return null;
  const all = value.map((v: JsonValue) => one(v));
  return all.every((v) => v !== null) ? (all as readonly T[]) : null;
}

function textsOf(value: JsonValue): Readonly<Record<string, string>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const entries = Object.entries(value);
  const good = entries.every(([name, text]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && textOf(text, TEXT_MAX) !== null);
  // fromEntries makes own properties, even of a key named __proto__ (A22).
  return good && entries.length <= 64 ? (Object.fromEntries(entries) as Record<string, string>) : null;
}
