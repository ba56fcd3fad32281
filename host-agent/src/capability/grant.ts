// SPDX-License-Identifier: Apache-2.0
import type { AgentName, GrantId, OperatorName, SessionId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { indexCapabilities, type CapabilityIndex } from './capability-index.ts';
import { formatCapability, type Capability } from './capability.ts';
import { withinCeiling, type Ceiling } from './ceiling.ts';

/** Something held for a while (R3). It opens nothing by itself: each call is judged against it, and ends with it at the latest. */
export type Grant = {
  readonly id: GrantId;
  readonly agent: AgentName;
  readonly capability: Capability;
  /** Milliseconds of CLOCK_BOOTTIME, which setting the wall clock does not move (A14). Held while now < notAfter. */
  readonly notAfter: number;
  /** Calls that may still use it; null for any number until notAfter. */
  readonly usesLeft: number | null;
  /** Set when it ends with this session. */
  readonly session: SessionId | null;
  readonly reason: string;
  readonly grantedBy: OperatorName;
};

export type GrantEnd = 'expired' | 'revoked' | 'used up' | 'session closed';

/** Every grant of this boot that has not ended. Never changed, always replaced: a call is judged against one book. */
export type GrantBook = { readonly agents: ReadonlyMap<AgentName, HeldGrants> };

/** An agent's grants, best first: those without a use count, then those that last longer. */
export type HeldGrants = { readonly grants: readonly Grant[]; readonly index: CapabilityIndex };

const NO_GRANTS: HeldGrants = { grants: [], index: indexCapabilities([]) };
export const EMPTY_BOOK: GrantBook = { agents: new Map() };

/** Refused outside the ceiling, with the reason, when it is given and not only when it is used. */
export function give(
  book: GrantBook,
  grant: Grant,
  ceiling: Ceiling,
  now: number,
): Result<{ readonly book: GrantBook; readonly shadowedBy: readonly Capability[] }> {
  const sound = checkGrant(grant, now);
  if (!sound.ok) return sound;
  const within = withinCeiling(ceiling, grant.capability);
  if (!within.ok) return within;
  if (findGrant(book, grant.id) !== null) return refuse(`cannot give grant ${grant.id}: the id is taken`);
  const held = grantsOf(book, grant.agent);
  return accept({ book: withAgent(book, grant.agent, [...held, grant]), shadowedBy: within.value.shadowedBy });
}

export function checkGrant(grant: Grant, now: number): Result<Grant> {
  const what = `cannot give ${formatCapability(grant.capability)}`;
  if (!Number.isSafeInteger(grant.notAfter) || grant.notAfter <= now) return refuse(`${what}: its end is not in the future`);
  if (grant.usesLeft !== null && (!Number.isSafeInteger(grant.usesLeft) || grant.usesLeft < 1)) {
    return refuse(`${what}: its number of uses must be a whole number from 1`);
  }
  return accept(grant);
}

/** What an agent holds by grants at this moment in this session. */
export function heldBy(book: GrantBook, agent: AgentName, session: SessionId, now: number): HeldGrants {
  const all = book.agents.get(agent);
  if (all === undefined) return NO_GRANTS;
  const held = all.grants.filter((grant) => now < grant.notAfter && (grant.session === null || grant.session === session));
  return held.length === all.grants.length ? all : heldFrom(held);
}

export function heldFrom(grants: readonly Grant[]): HeldGrants {
  const ordered = grants.toSorted(bestFirst);
  return { grants: ordered, index: indexCapabilities(ordered.map((grant) => grant.capability)) };
}

export type BookChange = { readonly book: GrantBook; readonly ended: readonly Grant[] };

/** One call's use of these grants. Refused as a whole when one is not there any more, so that parallel calls never overspend (A25). */
export function useGrants(book: GrantBook, agent: AgentName, ids: readonly GrantId[], now: number): Result<BookChange> {
  const wanted = new Set(ids);
  const used = grantsOf(book, agent).filter((grant) => wanted.has(grant.id) && now < grant.notAfter);
  if (used.length !== wanted.size) return refuse('a grant that this call needs has just ended; ask for it again');
  if (used.every((grant) => grant.usesLeft === null)) return accept({ book, ended: [] });
  const after = grantsOf(book, agent).map((grant) =>
    wanted.has(grant.id) && grant.usesLeft !== null ? { ...grant, usesLeft: grant.usesLeft - 1 } : grant,
  );
  const ended = after.filter((grant) => grant.usesLeft === 0);
  return accept({ book: withAgent(book, agent, after.filter((grant) => grant.usesLeft !== 0)), ended });
}

export function revoke(book: GrantBook, id: GrantId): BookChange {
  return without(book, (grant) => grant.id === id);
}

export function expire(book: GrantBook, now: number): BookChange {
  return without(book, (grant) => grant.notAfter <= now);
}

export function closeSession(book: GrantBook, session: SessionId): BookChange {
  return without(book, (grant) => grant.session === session);
}

export function findGrant(book: GrantBook, id: GrantId): Grant | null {
  return allGrants(book).find((grant) => grant.id === id) ?? null;
}

export function allGrants(book: GrantBook): readonly Grant[] {
  return [...book.agents.values()].flatMap((held) => held.grants);
}

export function bookOf(grants: readonly Grant[]): GrantBook {
  return { agents: new Map([...Map.groupBy(grants, (grant) => grant.agent)].map(([agent, held]) => [agent, heldFrom(held)])) };
}

function grantsOf(book: GrantBook, agent: AgentName): readonly Grant[] {
  return book.agents.get(agent)?.grants ?? [];
}

function without(book: GrantBook, ends: (grant: Grant) => boolean): BookChange {
  let left = book;
  const ended: Grant[] = [];
  for (const [agent, held] of book.agents) {
    const gone = held.grants.filter(ends);
    if (gone.length === 0) continue;
    ended.push(...gone);
    left = withAgent(left, agent, held.grants.filter((grant) => !ends(grant)));
  }
  return { book: left, ended };
}

function withAgent(book: GrantBook, agent: AgentName, grants: readonly Grant[]): GrantBook {
  const agents = new Map(book.agents);
  if (grants.length === 0) agents.delete(agent);
  else agents.set(agent, heldFrom(grants.map((grant) => Object.freeze(grant))));
  return { agents };
}

function bestFirst(a: Grant, b: Grant): number {
  if ((a.usesLeft === null) !== (b.usesLeft === null)) return a.usesLeft === null ? -1 : 1;
  return b.notAfter - a.notAfter;
}
