// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { firstAnswering, indexCapabilities, type CapabilityIndex } from './capability-index.ts';
import { formatCapability, isTree, parseCapability, type Capability, type Need } from './capability.ts';
import { contains } from './contains.ts';
import { overlaps } from './overlaps.ts';

/** The most a type can ever hold, as its file says it: a grant must lie inside one `allow` pattern; `deny` is refused at use and hidden from calls. */
export type DeclaredCeiling = { readonly allow: readonly string[]; readonly deny: readonly string[] };

/** The most a type can ever hold, parsed. Allow patterns bound what may be granted, deny patterns what may be used. */
export type Ceiling = {
  readonly allow: readonly Capability[];
  readonly deny: readonly Capability[];
  readonly index: { readonly allow: CapabilityIndex; readonly deny: CapabilityIndex };
};

export function parseCeiling(declared: DeclaredCeiling): Result<Ceiling> {
  const allow = parseCapabilities(declared.allow);
  if (!allow.ok) return refuse(`ceiling.allow: ${allow.error}`);
  // A denial that cannot be read must not be dropped: the whole ceiling is refused.
  const deny = parseCapabilities(declared.deny);
  if (!deny.ok) return refuse(`ceiling.deny: ${deny.error}`);
  const index = { allow: indexCapabilities(allow.value), deny: indexCapabilities(deny.value) };
  return accept({ allow: allow.value, deny: deny.value, index });
}

/** May this be held at all? It must lie inside one allow pattern; the denials that will still bite at use are named. */
export function withinCeiling(ceiling: Ceiling, capability: Capability): Result<{ readonly shadowedBy: readonly Capability[] }> {
  const asked = formatCapability(capability);
  if (!ceiling.allow.some((pattern) => contains(pattern, capability))) {
    const near = ceiling.allow.filter((pattern) => pattern.namespace === capability.namespace && pattern.action === capability.action);
    const limit = near.length === 0 ? `it holds nothing of ${capability.namespace}:${capability.action}: declare the agent with a type that may hold it` : `it reaches ${list(near)}`;
    return refuse(`cannot hold ${asked}: it is not inside the type's ceiling; ${limit}`);
  }
  const whole = ceiling.deny.find((pattern) => contains(pattern, capability));
  if (whole !== undefined) {
    return refuse(`cannot hold ${asked}: the type's ceiling denies all of it by ${formatCapability(whole)}`);
  }
  return accept({ shadowedBy: ceiling.deny.filter((pattern) => overlaps(pattern, capability)) });
}

/**
 * A tree is denied when all of it is. One that holds something denied can be read, since the plan of the call hides that part
 * (sandbox/hide-denied.ts); any other act on it is denied, for it would stop in the middle.
 */
export function deniedBy(ceiling: Ceiling, asked: Need): Capability | null {
  const position = firstAnswering(ceiling.index.deny, asked);
  if (position !== null) return ceiling.deny[position]!;
  if (!isTree(asked) || asked.action === 'read') return null;
  return ceiling.deny.find((pattern) => overlaps(pattern, asked)) ?? null;
}

export function allowedBy(ceiling: Ceiling, asked: Need): Capability | null {
  const position = firstAnswering(ceiling.index.allow, asked);
  return position === null ? null : ceiling.allow[position]!;
}

export function parseCapabilities(texts: readonly string[]): Result<readonly Capability[]> {
  const parsed: Capability[] = [];
  for (const text of texts) {
    const capability = parseCapability(text);
    if (!capability.ok) return capability;
    parsed.push(capability.value);
  }
  return accept(parsed);
}

function list(capabilities: readonly Capability[]): string {
  return capabilities.map(formatCapability).join(', ');
}
