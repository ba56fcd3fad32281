// SPDX-License-Identifier: Apache-2.0
import { isPathNamespace, pathSegments, type Capability } from './capability.ts';

/** Is there a request that both cover? Never false wrongly: what a denial reaches of a tree rests on it, beside the notes on grants. */
export function overlaps(a: Capability, b: Capability): boolean {
  if (a.namespace !== b.namespace || a.action !== b.action) return false;
  if (a.resource === null || b.resource === null) return a.resource === b.resource;
  if (a.resource === '*' || b.resource === '*') return true;
  if (isPathNamespace(a.namespace)) return meet(withGaps(a.resource), withGaps(b.resource), segmentsMeet);
  const fieldsA = a.resource.split(/([:/])/);
  const fieldsB = b.resource.split(/([:/])/);
  return fieldsA.length === fieldsB.length && fieldsA.every((field, n) => segmentsMeet(field, fieldsB[n]!));
}

const GAP = null;

function withGaps(path: string): readonly (string | null)[] {
  return pathSegments(path).flatMap((segment) => (segment === '**' ? ['*', GAP] : [segment]));
}

function segmentsMeet(a: string, b: string): boolean {
  if (!a.includes('*') && !b.includes('*')) return a === b;
  return meet(starsAsGaps(a), starsAsGaps(b), (x, y) => x === y);
}

function starsAsGaps(segment: string): readonly (string | null)[] {
  return Array.from(segment, (character) => (character === '*' ? GAP : character));
}

/** Can both sequences be filled to the same one? Row by row from the ends; a gap takes up any number of elements. */
function meet(a: readonly (string | null)[], b: readonly (string | null)[], same: (x: string, y: string) => boolean): boolean {
  let below: boolean[] = [];
  for (let i = a.length; i >= 0; i -= 1) {
    const row: boolean[] = Array.from({ length: b.length + 1 }, () => false);
    for (let j = b.length; j >= 0; j -= 1) {
      const x = a[i];
      const y = b[j];
      if (x === undefined && y === undefined) row[j] = true;
      else if (x === GAP) row[j] = below[j]! || (y !== undefined && row[j + 1]!);
      else if (y === GAP) row[j] = row[j + 1]! || (x !== undefined && below[j]!);
      else row[j] = x !== undefined && y !== undefined && same(x, y) && below[j + 1]!;
    }
    below = row;
  }
  return below[0]!;
}
