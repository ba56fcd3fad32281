// SPDX-License-Identifier: Apache-2.0
import type { GrantId, SessionId } from '../identity/ids.ts';
import { parseAgentName, parseOperatorName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { formatCapability, parseCapability } from './capability.ts';
import { allGrants, bookOf, checkGrant, type Grant, type GrantBook } from './grant.ts';

// What holdfastd writes so that grants survive its own restart within a boot (R3). CLOCK_BOOTTIME starts again at a boot, so
// a file of another boot says nothing. Whatever is not exactly as written here is refused whole: then nothing is granted (A29).

const FIELDS = ['id', 'agent', 'capability', 'notAfter', 'usesLeft', 'session', 'reason', 'grantedBy'];

export function writeGrants(book: GrantBook, boot: string): string {
  const grants = allGrants(book).map((grant) => ({ ...grant, capability: formatCapability(grant.capability) }));
  return `${JSON.stringify({ v: 1, boot, grants })}\n`;
}

/** Grants that ended while nobody looked are left out here; the caller ends them with `expire` only if it keeps them. */
export function readGrants(text: string, boot: string, now: number): Result<GrantBook> {
  try {
    const file: unknown = JSON.parse(text);
    if (!hasExactly(file, ['v', 'boot', 'grants']) || file.v !== 1 || !Array.isArray(file.grants)) {
      return refuse('cannot read the grants: not a grant file of version 1; nothing is granted');
    }
    if (file.boot !== boot) return refuse('cannot use the grants: they are of another boot; nothing is granted');
    const grants: Grant[] = [];
    for (const value of file.grants) {
      const grant = readGrant(value);
      if (!grant.ok) return refuse(`cannot read the grants: ${grant.error}; nothing is granted`);
      const { id } = grant.value;
      if (grants.some((known) => known.id === id)) return refuse('cannot read the grants: an id is there twice; nothing is granted');
      grants.push(grant.value);
    }
    return accept(bookOf(grants.filter((grant) => checkGrant(grant, now).ok)));
  } catch {
    return refuse('cannot read the grants: not JSON; nothing is granted');
  }
}

function readGrant(value: unknown): Result<Grant> {
  if (!hasExactly(value, FIELDS)) return refuse('a grant lacks a field or has an unknown one');
  const { id, notAfter, usesLeft, session, reason } = value;
  const agent = parseAgentName(String(value.agent));
  if (!agent.ok) return agent;
  const grantedBy = parseOperatorName(String(value.grantedBy));
  if (!grantedBy.ok) return grantedBy;
  const capability = parseCapability(String(value.capability));
  if (!capability.ok) return capability;
  if (typeof id !== 'string' || id === '' || typeof reason !== 'string') return refuse('a grant has no id or no reason');
  if (session !== null && typeof session !== 'string') return refuse('a grant has a bad session');
  if (typeof notAfter !== 'number' || (usesLeft !== null && typeof usesLeft !== 'number')) return refuse('a grant has a bad end');
  const grant: Grant = {
    id: id as GrantId,
    agent: agent.value,
    capability: capability.value,
    notAfter,
    usesLeft,
    session: session as SessionId | null,
    reason,
    grantedBy: grantedBy.value,
  };
  // Its end may have passed; everything else must be as give() would have taken it.
  return checkGrant(grant, Number.NEGATIVE_INFINITY);
}

function hasExactly(value: unknown, fields: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length === fields.length && fields.every((field) => keys.includes(field));
}
