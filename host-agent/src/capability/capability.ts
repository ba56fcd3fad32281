// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { checkNames, checkPatternText, checkText, splitCapability, type CapabilityParts } from './capability-text.ts';
import { compileSegment, compileSegments, segmentCovers, segmentsCover } from './glob.ts';
import { isNormalPath, normalisePath } from './path.ts';

/**
 * Something held (R1): `namespace:action[:resource]`, the resource a pattern.
 *
 * Paths (namespace fs): `*` stays inside one segment, `**` as a whole segment is one or more segments, a lone `*` any path.
 * Other resources: `*` is a run without `:` and `/`, a lone `*` any resource. Without a resource it is the act as such, and
 * covers only a request without one. There is no way to write a literal star: a grant cannot be narrower than its pattern.
 */
export type Capability = CapabilityParts;

declare const literal: unique symbol;
/** Something asked for: the resource is a name, and a star in it is a star. A Capability does not pass for one. */
export type CapabilityRequest = Capability & { readonly [literal]: true };

/**
 * Everything below a path, asked for as one thing: `fs:read:/usr/**`. Only a held pattern that contains it whole answers it, so it
 * is no CapabilityRequest: read as a name, `/usr/**` would be covered by `/usr/*`. `tree` is the path; a star in it is a star.
 */
export type TreeRequest = Capability & { readonly tree: string };

/** What a call needs: one name, or all that lies below one. */
export type Need = CapabilityRequest | TreeRequest;

export function isTree(need: Need): need is TreeRequest {
  return 'tree' in need;
}

export function isPathNamespace(namespace: string): boolean {
  return namespace === 'fs';
}

export function parseCapability(text: string): Result<Capability> {
  const plain = checkPatternText(text);
  const parts = plain.ok ? splitCapability(text) : plain;
  const checked = parts.ok ? checkPattern(parts.value) : parts;
  return checked.ok ? accept(Object.freeze(checked.value)) : refuse(`cannot read capability ${shown(text)}: ${checked.error}`);
}

/** For text that a person or a test wrote: a path is normalised here. Calls use requestFor. */
export function parseRequest(text: string): Result<CapabilityRequest> {
  const plain = checkText(text);
  const parts = plain.ok ? splitCapability(text) : plain;
  if (!parts.ok) return refuse(`cannot read request ${shown(text)}: ${parts.error}`);
  const { namespace, action, resource } = parts.value;
  if (resource === null || !isPathNamespace(namespace)) return requestFor(namespace, action, resource);
  const path = normalisePath(resource);
  return path.ok ? requestFor(namespace, action, path.value) : path;
}

/** A path must come normalised: normalising it here would let a caller judge one string and open another (A02). */
export function requestFor(namespace: string, action: string, resource: string | null): Result<CapabilityRequest> {
  const text = formatCapability({ namespace, action, resource });
  const plain = checkText(text);
  const parts = plain.ok ? checkNames({ namespace, action, resource }) : plain;
  if (!parts.ok) return refuse(`cannot request ${shown(text)}: ${parts.error}`);
  if (isPathNamespace(namespace)) {
    if (resource === null) return refuse(`cannot request ${shown(text)}: ${namespace} needs a path`);
    if (!isNormalPath(resource)) return refuse(`cannot request ${shown(text)}: the path is not in its normal form`);
  }
  return accept(Object.freeze(parts.value) as CapabilityRequest);
}

/** All below the path of a request. */
export function treeBelow(request: CapabilityRequest): Result<TreeRequest> {
  const { namespace, action, resource: tree } = request;
  if (tree === null || !isPathNamespace(namespace)) return refuse(`cannot request all below ${formatCapability(request)}: it is no path`);
  const resource = tree === '/' ? '/**' : `${tree}/**`;
  const plain = checkText(formatCapability({ namespace, action, resource }));
  return plain.ok ? accept(Object.freeze({ namespace, action, resource, tree })) : refuse(`cannot request all below a path: ${plain.error}`);
}

export function formatCapability(capability: Capability): string {
  const { namespace, action, resource } = capability;
  return resource === null ? `${namespace}:${action}` : `${namespace}:${action}:${resource}`;
}

export function covers(held: Capability, asked: CapabilityRequest): boolean {
  if (held.namespace !== asked.namespace || held.action !== asked.action) return false;
  if (held.resource === null || asked.resource === null) return held.resource === asked.resource;
  return compileResource(held.namespace, held.resource)(asked.resource);
}

/** A test for literal resources, made once per pattern by whoever asks often (capability-index.ts). */
export function compileResource(namespace: string, pattern: string): (asked: string) => boolean {
  if (pattern === '*') return () => true;
  if (!pattern.includes('*')) return (asked) => asked === pattern;
  if (isPathNamespace(namespace)) {
    const compiled = compileSegments(pathSegments(pattern));
    return (asked) => segmentsCover(compiled, pathSegments(asked));
  }
  return (asked) => fieldsCover(pattern, asked);
}

/** `/` has no segments. */
export function pathSegments(path: string): readonly string[] {
  return path === '/' ? [] : path.slice(1).split('/');
}

/** A star cannot take up `:` or `/`, so both sides must have the same ones in the same order, and the fields between decide. */
export function fieldsCover(outer: string, inner: string): boolean {
  const outerFields = outer.split(SEPARATOR);
  const innerFields = inner.split(SEPARATOR);
  if (outerFields.length !== innerFields.length) return false;
  return outerFields.every((field, n) =>
    n % 2 === 1 ? field === innerFields[n] : segmentCovers(compileSegment(field), innerFields[n]!),
  );
}

const SEPARATOR = /([:/])/;

function checkPattern(parts: CapabilityParts): Result<Capability> {
  const { namespace, resource } = parts;
  if (!isPathNamespace(namespace)) {
    if (resource === null || !resource.includes('**')) return accept(parts);
    return refuse('** is for paths; here * is any run without : and /, and a lone * is any resource');
  }
  if (resource === null) return refuse(`${namespace} needs a path, or * for any`);
  if (resource === '*') return accept(parts);
  if (!resource.startsWith('/')) return refuse('its path must be absolute, starting with /');
  for (const segment of pathSegments(resource)) {
    if (segment === '') return refuse('its path has an empty segment (// or a trailing /)');
    if (segment === '.' || segment === '..') return refuse(`its path has a ${segment} segment; write the path it leads to`);
    if (segment.includes('**') && segment !== '**') return refuse('** must be a whole segment, as in /var/log/**');
  }
  return accept(parts);
}

/** Attacker's text in a message: escaped and short. */
function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
