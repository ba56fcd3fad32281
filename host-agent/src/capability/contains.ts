// SPDX-License-Identifier: Apache-2.0
import { fieldsCover, isPathNamespace, pathSegments, type Capability } from './capability.ts';
import { compileSegments, segmentsCover, type Covered } from './glob.ts';

/**
 * Does `outer` cover every request that `inner` covers? Never true wrongly; this is what ceilings and attenuation rest on (R5).
 * Exact for every shape but patterns with several `**` whose alignment depends on how long a gap is; those are refused.
 */
export function contains(outer: Capability, inner: Capability): boolean {
  if (outer.namespace !== inner.namespace || outer.action !== inner.action) return false;
  if (outer.resource === null || inner.resource === null) return outer.resource === inner.resource;
  if (outer.resource === '*') return true;
  if (inner.resource === '*') return false;
  if (!isPathNamespace(outer.namespace)) return fieldsCover(outer.resource, inner.resource);
  return segmentsCover(compileSegments(pathSegments(outer.resource)), coveredSegments(inner.resource));
}

function coveredSegments(pattern: string): Covered {
  return pathSegments(pattern).flatMap((segment) => (segment === '**' ? ['*', null] : [segment]));
}
