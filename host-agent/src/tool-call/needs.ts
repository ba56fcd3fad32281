// SPDX-License-Identifier: Apache-2.0
import { isPathNamespace, requestFor, treeBelow, type Need } from '../capability/capability.ts';
import { splitCapability } from '../capability/capability-text.ts';
import { normalisePath } from '../capability/path.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject } from '../ledger/entry.ts';

const PLACEHOLDER = /\{([a-zA-Z0-9_]+)\}/g;
const ONE_PLACEHOLDER = /^\{([a-zA-Z0-9_]+)\}$/;
const TREE = /^(\{[a-zA-Z0-9_]+\})\/\*\*$/;

export type Needs = {
  /** The arguments with every path in its normal form: the string that is judged is the string that is recorded and run (A02). */
  readonly arguments: JsonObject;
  readonly needs: readonly Need[];
};

/**
 * Fills a tool's templates (`fs:write:{path}`, `fs:delete:{path}/**`, R2) from its parsed arguments. What an agent wrote wrong is a refusal;
 * a template that does not fit its tool is our fault and throws, which denies.
 */
export function expandNeeds(templates: readonly string[], args: JsonObject): Result<Needs> {
  const parsed = templates.map(parseTemplate);
  const normal: Record<string, string> = {};
  for (const { namespace, resource } of parsed) {
    if (resource === null || !isPathNamespace(namespace)) continue;
    const name = ONE_PLACEHOLDER.exec(resource)?.[1];
    if (name === undefined) continue;
    const path = normalisePath(text(args, name));
    if (!path.ok) return refuse(`${name}: ${path.error}`);
    normal[name] = path.value;
  }
  const normalised: JsonObject = Object.freeze(Object.assign(Object.create(null) as object, args, normal)) as JsonObject;
  const needs: Need[] = [];
  for (const { namespace, action, resource, tree } of parsed) {
    const filled = resource === null ? accept(null) : fill(namespace, resource, normalised);
    if (!filled.ok) return filled;
    const request = requestFor(namespace, action, filled.value);
    if (!request.ok) return request;
    const need = tree ? treeBelow(request.value) : request;
    if (!need.ok) return need;
    needs.push(need.value);
  }
  return accept({ arguments: normalised, needs });
}

function fill(namespace: string, template: string, args: JsonObject): Result<string> {
  const alone = ONE_PLACEHOLDER.exec(template)?.[1];
  if (alone !== undefined) return accept(text(args, alone));
  if (isPathNamespace(namespace)) return template.includes('{') ? fault(`${template}: a path is one argument or none`) : accept(template);
  let wrong: string | null = null;
  const filled = template.replace(PLACEHOLDER, (_, name: string) => {
    const value = text(args, name);
    // The argument would otherwise choose where the parts of the resource end (host:port).
    if (/[:/]/.test(value)) wrong = name;
    return value;
  });
  if (filled.includes('{') && template.replace(PLACEHOLDER, '').includes('{')) return fault(`${template}: not a placeholder`);
  return wrong === null ? accept(filled) : refuse(`${wrong}: it must not hold : or /`);
}

function text(args: JsonObject, name: string): string {
  const value = Object.hasOwn(args, name) ? args[name] : undefined;
  return typeof value === 'string' ? value : fault(`{${name}}: the tool has no such argument, or it is not text`);
}

type Template = { readonly namespace: string; readonly action: string; readonly resource: string | null; readonly tree: boolean };

function parseTemplate(template: string): Template {
  const parts = splitCapability(template);
  if (!parts.ok) return fault(`${template}: ${parts.error}`);
  const { namespace, action, resource } = parts.value;
  const below = isPathNamespace(namespace) ? TREE.exec(resource ?? '')?.[1] : undefined;
  return { namespace, action, resource: below ?? resource, tree: below !== undefined };
}

function fault(why: string): never {
  throw new Error(`cannot expand a capability template: ${why}`);
}
