// SPDX-License-Identifier: Apache-2.0
import { firstCovering, type CapabilityIndex } from './capability-index.ts';
import { formatCapability, isPathNamespace, isTree, parseCapability, requestFor, type Capability, type Need } from './capability.ts';
import { deniedBy, withinCeiling, type Ceiling } from './ceiling.ts';

/**
 * The narrowest capability that would have let a refused request through, or null when no grant can: the ceiling excludes it,
 * or its name cannot be written as a capability (a `*` in it would be live, and so wider than what was asked).
 */
export function suggestCapability(ceiling: Ceiling, asked: Need): Capability | null {
  const name = isTree(asked) ? asked.tree : asked.resource;
  if (name?.includes('*') || deniedBy(ceiling, asked) !== null) return null;
  const exact = parseCapability(formatCapability(asked));
  return exact.ok && withinCeiling(ceiling, exact.value).ok ? exact.value : null;
}

/** `/etc/*` does not reach /etc/nginx/conf, on purpose (R1). Who writes it is told once: in `policy check` and when a grant is given. */
export function oneLevelWarning(capability: Capability): string | null {
  const { namespace, resource } = capability;
  if (resource === null || !isPathNamespace(namespace) || !resource.endsWith('/*')) return null;
  const deep = formatCapability({ ...capability, resource: `${resource}*` });
  return `${formatCapability(capability)} reaches one level only; for everything below write ${deep}`;
}

/** The same for an agent that was refused below a `/*` it holds: which one, and what would have reached. */
export function oneLevelHeld(
  held: readonly Capability[],
  index: CapabilityIndex,
  asked: Need,
): { readonly held: Capability; readonly deep: Capability } | null {
  if (asked.resource === null || !isPathNamespace(asked.namespace)) return null;
  const segments = asked.resource.split('/');
  // Nearest first, and not for ever: an agent chooses how deep its refused path is.
  for (let depth = segments.length - 1; depth > 1 && depth > segments.length - 32; depth -= 1) {
    const parent = requestFor(asked.namespace, asked.action, segments.slice(0, depth).join('/'));
    const position = parent.ok ? firstCovering(index, parent.value) : null;
    const capability = position === null ? undefined : held[position];
    if (!capability?.resource?.endsWith('/*')) continue;
    const deep = parseCapability(`${formatCapability(capability)}*`);
    if (deep.ok) return { held: capability, deep: deep.value };
  }
  return null;
}
