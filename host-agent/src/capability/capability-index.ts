// SPDX-License-Identifier: Apache-2.0
import { compileResource, isTree, type Capability, type CapabilityRequest, type Need, type TreeRequest } from './capability.ts';
import { contains } from './contains.ts';

/**
 * Held capabilities arranged so that a decision over 100 000 costs about what it costs over 10: literals by hash; patterns by
 * the text before their first star, then by the text after their last. What is left to try one by one are patterns that
 * share both ends, and those do not grow with what is held in practice.
 */
export type CapabilityIndex = { readonly size: number; readonly acts: ReadonlyMap<string, Act> };

/** What is held of one namespace:action. Numbers are positions in the list that was indexed. */
type Act = { bare: number | null; any: number | null; readonly literals: Map<string, number>; readonly patterns: ByEnd<ByEnd<Pattern[]>> };
type ByEnd<T> = { readonly lengths: number[]; readonly entries: Map<string, T> };
type Pattern = { readonly position: number; readonly capability: Capability; readonly matches: (asked: string) => boolean };

export function indexCapabilities(list: readonly Capability[]): CapabilityIndex {
  const acts = new Map<string, Act>();
  list.forEach((capability, position) => {
    const key = `${capability.namespace}:${capability.action}`;
    const act = acts.get(key) ?? { bare: null, any: null, literals: new Map(), patterns: emptyEnds() };
    acts.set(key, act);
    addResource(act, capability, position);
  });
  return { size: list.length, acts };
}

/** The position of the first capability of the list that covers what is asked, or null. */
export function firstCovering(index: CapabilityIndex, asked: CapabilityRequest): number | null {
  const act = index.acts.get(`${asked.namespace}:${asked.action}`);
  if (act === undefined) return null;
  const resource = asked.resource;
  if (resource === null) return act.bare;
  let best = earlier(act.any, act.literals.get(resource) ?? null);
  for (const length of act.patterns.lengths) {
    if (length > resource.length) break;
    const bySuffix = act.patterns.entries.get(resource.slice(0, length));
    if (bySuffix === undefined) continue;
    for (const tail of bySuffix.lengths) {
      if (tail > resource.length - length) break;
      const candidates = bySuffix.entries.get(resource.slice(resource.length - tail));
      const hit = candidates?.find((pattern) => (best !== null && pattern.position > best) || pattern.matches(resource));
      if (hit !== undefined) best = earlier(best, hit.position);
    }
  }
  return best;
}

/** The first that answers a need whole: covers its name, or contains its tree. */
export function firstAnswering(index: CapabilityIndex, need: Need): number | null {
  return isTree(need) ? firstContaining(index, need) : firstCovering(index, need);
}

/** What contains a tree ends in a star and begins with text that the tree begins with, so only those are tried. */
function firstContaining(index: CapabilityIndex, need: TreeRequest): number | null {
  const act = index.acts.get(`${need.namespace}:${need.action}`);
  if (act === undefined) return null;
  let best = act.any;
  for (const length of act.patterns.lengths) {
    const candidates = act.patterns.entries.get(need.resource!.slice(0, length))?.entries.get('') ?? [];
    const hit = candidates.find((pattern) => (best !== null && pattern.position > best) || contains(pattern.capability, need));
    if (hit !== undefined) best = earlier(best, hit.position);
  }
  return best;
}

function addResource(act: Act, capability: Capability, position: number): void {
  const { namespace, resource } = capability;
  if (resource === null) act.bare ??= position;
  else if (resource === '*') act.any ??= position;
  else if (!resource.includes('*')) {
    if (!act.literals.has(resource)) act.literals.set(resource, position);
  } else {
    const bySuffix = at(act.patterns, resource.slice(0, resource.indexOf('*')), emptyEnds<Pattern[]>);
    const patterns = at(bySuffix, resource.slice(resource.lastIndexOf('*') + 1), () => []);
    patterns.push({ position, capability, matches: compileResource(namespace, resource) });
  }
}

function emptyEnds<T>(): ByEnd<T> {
  return { lengths: [], entries: new Map() };
}

function at<T>(ends: ByEnd<T>, end: string, fresh: () => T): T {
  const known = ends.entries.get(end);
  if (known !== undefined) return known;
  const made = fresh();
  ends.entries.set(end, made);
  if (!ends.lengths.includes(end.length)) {
    ends.lengths.push(end.length);
    ends.lengths.sort((a, b) => a - b);
  }
  return made;
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null || a < b ? a : b;
}
