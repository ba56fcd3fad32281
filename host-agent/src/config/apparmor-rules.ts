// SPDX-License-Identifier: Apache-2.0
import { type Capability, pathSegments } from '../capability/capability.ts';
import type { Ceiling } from '../capability/ceiling.ts';

// From the grammar of capabilities (R1) to that of AppArmor (apparmor.d(5), "Globbing"). Each pattern here matches exactly the paths
// that the capability's matches, and nothing else: tests/apparmor holds both matchers against one another over what the parser made.

/**
 * A directory's name ends in `/` for AppArmor and not for us, so each pattern stands there twice. Not as `{,/}`: only before a `/` or
 * at the end of a pattern is AppArmor's `*` at least one character, and `/a/*{,/}` would reach `/a/` itself.
 */
export function appArmorPaths(resource: string): readonly string[] {
  if (resource === '/') return [quoted('/')];
  if (resource === '*') return [quoted('/'), quoted('/**')];
  const path = pathSegments(resource).map((segment) => `/${escaped(segment)}`).join('');
  return path.endsWith('/**') ? [quoted(path)] : [quoted(path), quoted(`${path}/`)];
}

/** What a call may reach, whatever a mount shows it. AppArmor has one letter for writing, making, renaming and deleting. */
export function allowRules(ceiling: Pick<Ceiling, 'allow'>): readonly string[] {
  return rules(ceiling.allow, '', { read: 'r', write: 'rwkl', delete: 'rw' });
}

/** As the mounts have it, who writes sees (sandbox/plan-call.ts); so a denial of one of these letters leaves the others. */
export function denyRules(ceiling: Pick<Ceiling, 'deny'>): readonly string[] {
  return rules(ceiling.deny, 'audit deny ', { read: 'mrx', write: 'wl', delete: 'wl' });
}

function rules(patterns: readonly Capability[], prefix: string, letters: Readonly<Record<string, string>>): readonly string[] {
  const made = patterns.filter(({ namespace }) => namespace === 'fs').flatMap(({ action, resource }) => {
    const wanted = letters[action];
    // An action that nobody here knows would otherwise be allowed by the judge and refused by the kernel, or the other way round.
    if (wanted === undefined || resource === null) throw new Error(`there is no AppArmor rule for fs:${action}:${resource}`);
    return appArmorPaths(resource).map((path) => `${prefix}${path} ${wanted},`);
  });
  return [...new Set(made)];
}

/** All that is no plain character for AppArmor; the star is ours too. */
function escaped(segment: string): string {
  return segment.replace(/[\\?[\]{}^",]/g, '\\$&');
}

/** Quoted always: a space, `#` or `,` would end the rule. */
function quoted(path: string): string {
  return `"${path}"`;
}
