// SPDX-License-Identifier: Apache-2.0
import { compileResource, formatCapability, type Capability } from '../capability/capability.ts';
import { overlaps } from '../capability/overlaps.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { isBeneath, parentOf } from './bindable.ts';
import { IMAGE, IMAGE_ETC, MERGED_USR } from './image-paths.ts';
import type { Binding } from './permit.ts';

/** What a type can ever hold (capability/ceiling.ts): of it a plan needs what is denied and where the agent may write. */
export type Bounds = { readonly allow: readonly Capability[]; readonly deny: readonly Capability[] };

/**
 * The places below one binding over which something empty is mounted, so that no name the ceiling denies is seen in the call:
 * not by the file tool, and not by a program that opens what it likes. Refused, with the reason, where mounts cannot say it.
 *
 * A mount that can be written shows, and lets delete; so for it every denial of files counts.
 */
export function hideDenied(shown: Binding, bounds: Bounds, whoMoves: 'agent' | 'nobody'): Result<readonly string[]> {
  const places: string[] = [];
  for (const denial of bounds.deny) {
    if (!counts(denial, shown.access) || !reaches(denial, shown)) continue;
    const why = `the type's ceiling denies ${formatCapability(denial)}`;
    const place = placeOf(denial.resource!);
    if (place === null) return refuse(`${why}, and such names cannot be hidden below ${shown.path}`);
    if (shown.is === 'file' || isBeneath(shown.path, place)) return refuse(`${why}, which leaves nothing of ${shown.path} to be shown`);
    if (whoMoves === 'agent' && isMovable(place, bounds)) {
      return refuse(`${why}, and below ${shown.path} that cannot be hidden from a call of an agent that may move it`);
    }
    places.push(place);
  }
  return accept(outermost(places));
}

/**
 * The same for what a program sees of the image, which is read-only for everybody, so that nothing in it moves. An entry of
 * /etc that cannot be shown in part is left out whole.
 */
export function hideInImage(bounds: Bounds): Result<readonly string[]> {
  const image = hideDenied({ path: IMAGE, access: 'ro', is: 'directory' }, bounds, 'nobody');
  if (!image.ok) return image;
  const etc = IMAGE_ETC.flatMap((path) => {
    const below = hideDenied({ path, access: 'ro' }, bounds, 'nobody');
    return below.ok ? below.value : [path];
  });
  return accept(outermost([...image.value, ...etc]));
}

/** A program finds /usr/lib/x as /lib/x too: what is denied by one name is denied by the other. `/**` in front reaches both. */
export function byOtherNames({ allow, deny }: Bounds): Bounds {
  const others = deny.flatMap((denial) => {
    const [, first, rest] = /^(\/[^/]+)(.*)$/s.exec(denial.resource ?? '') ?? [];
    if (denial.namespace !== 'fs' || first === undefined || first === '/**') return [];
    const names = MERGED_USR.filter((name) => overlaps({ ...denial, resource: first }, { ...denial, resource: `/${name}` }));
    return names.map((name) => ({ ...denial, resource: `${IMAGE}/${name}${rest}` }));
  });
  return { allow, deny: [...deny, ...others] };
}

/** One of several: what lies in another is hidden with it. */
export function outermost(places: readonly string[]): readonly string[] {
  return [...new Set(places)].filter((place) => !places.some((other) => other !== place && isBeneath(place, other))).sort();
}

function counts({ namespace, action }: Capability, access: Binding['access']): boolean {
  return namespace === 'fs' && (access === 'rw' || action === 'read');
}

function reaches(denial: Capability, { path, is }: Binding): boolean {
  const itself = { ...denial, resource: path };
  const below = { ...denial, resource: path === '/' ? '/**' : `${path}/**` };
  return overlaps(denial, itself) || (is !== 'file' && overlaps(denial, below));
}

/**
 * Where a mount hides all that a pattern matches: the path itself, or DIR of `DIR/**` and `DIR/*`, which may hide more than is
 * denied and never less. Null for a star anywhere else: nobody knows beforehand which names it will match.
 */
function placeOf(resource: string): string | null {
  if (resource === '*') return '/';
  const dir = /^(.*)\/\*\*?$/s.exec(resource)?.[1];
  const place = dir ?? resource;
  return place.includes('*') ? null : place === '' ? '/' : place;
}

/**
 * May the agent rename the place or a directory above it, or put a link there? Then another call of it could do so between
 * the looking and the mounting, and the mount would lie elsewhere (A10).
 */
function isMovable(place: string, { allow }: Bounds): boolean {
  const changing = allow.filter(({ namespace, action }) => namespace === 'fs' && (action === 'write' || action === 'delete'));
  const matchers = changing.map(({ namespace, resource }) => compileResource(namespace, resource ?? ''));
  for (let path = place; ; path = parentOf(path)) {
    if (matchers.some((matches) => matches(path))) return true;
    if (path === '/') return false;
  }
}
