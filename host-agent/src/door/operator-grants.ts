// SPDX-License-Identifier: Apache-2.0
import { contains } from '../capability/contains.ts';
import { formatCapability, parseCapability, type Capability } from '../capability/capability.ts';
import { allGrants, findGrant, give, type Grant } from '../capability/grant.ts';
import { withoutRequests } from '../capability/request-book.ts';
import { oneLevelWarning } from '../capability/suggest.ts';
import type { DeclaredAgent } from '../config/declared.ts';
import type { GrantId } from '../identity/ids.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { grantEnded, grantGiven } from '../tool-call/entries.ts';
import { actorOf, declaredAgent, draftBy, type OperatorDoorPorts } from './operator-ports.ts';
import type { GivenView, GrantView, OperatorAnswer, OperatorRequest, RequestView } from './operator-wire.ts';

const SHORTEST_MS = 1_000;

type Wanted = Extract<OperatorRequest, { op: 'grant' }>;

/** R3. Written down with the person before it takes effect; what is refused is written down too. */
export async function giveGrant(ports: OperatorDoorPorts, operator: OperatorPrincipal, wanted: Wanted): Promise<OperatorAnswer<GivenView>> {
  const from = ports.now();
  const checked = checkWanted(ports, operator, wanted, from);
  if (!checked.ok) return refused(ports, operator, wanted, checked.error);
  const { agent, grant } = checked.value;
  const recorded = await ports.record(grantGiven(actorOf(operator), grant, wanted.forMs));
  if (!recorded.ok) return refuse(`nothing is granted, for it cannot be recorded: ${recorded.error}`);
  // While the ledger wrote, the agent may have been removed or its ceiling narrowed: judged again against what holds now.
  const now = declaredAgent(ports, agent.name);
  const given = now.ok ? giveNow(ports, now.value, grant) : now;
  if (!given.ok) {
    await ports.record(grantEnded(actorOf(operator), grant, 'revoked'));
    return refuse(`nothing is granted: ${given.error}`);
  }
  answerRequests(ports, grant);
  return accept({ ...viewOf(grant, ports.now()), notes: notesOn(grant, given.value) });
}

function checkWanted(
  ports: OperatorDoorPorts,
  operator: OperatorPrincipal,
  wanted: Wanted,
  now: number,
): Result<{ readonly agent: DeclaredAgent; readonly grant: Grant }> {
  const longest = ports.settings.longestGrant();
  if (wanted.forMs < SHORTEST_MS || wanted.forMs > longest.ms) return refuse(`a grant lasts from 1s to ${longest.text} on this machine (the setting grants.longest)`);
  const agent = declaredAgent(ports, wanted.agent);
  if (!agent.ok) return agent;
  const capability = parseCapability(wanted.capability);
  if (!capability.ok) return capability;
  const ceiling = ports.ceilingOf(agent.value);
  if (!ceiling.ok) return ceiling;
  const grant: Grant = {
    id: ports.newGrantId(),
    agent: agent.value.name,
    capability: capability.value,
    notAfter: now + wanted.forMs,
    usesLeft: wanted.uses,
    session: null,
    reason: wanted.reason,
    grantedBy: operator.name,
  };
  const possible = give(ports.grants(), grant, ceiling.value, now);
  return possible.ok ? accept({ agent: agent.value, grant }) : possible;
}

/** Gives back the denials of the ceiling that go on to bite. */
function giveNow(ports: OperatorDoorPorts, agent: DeclaredAgent, grant: Grant): Result<readonly Capability[]> {
  const ceiling = ports.ceilingOf(agent);
  if (!ceiling.ok) return ceiling;
  const given = give(ports.grants(), grant, ceiling.value, ports.now());
  if (!given.ok) return given;
  const kept = ports.replaceGrants(given.value.book);
  return kept.ok ? accept(given.value.shadowedBy) : kept;
}

function notesOn(grant: Grant, shadowedBy: readonly Capability[]): readonly string[] {
  const denied = shadowedBy.map(formatCapability).join(', ');
  return [oneLevelWarning(grant.capability), denied === '' ? null : `the agent's type goes on to deny ${denied}`].filter((note) => note !== null);
}

async function refused(ports: OperatorDoorPorts, operator: OperatorPrincipal, wanted: Wanted, why: string): Promise<OperatorAnswer<never>> {
  const recorded = await ports.record(
    draftBy(operator, 'grant.refused', {
      agent: short(wanted.agent),
      capability: short(wanted.capability),
      for_ms: wanted.forMs,
      reason: short(wanted.reason),
      why: short(why),
    }),
  );
  return refuse(recorded.ok ? why : `${why} (and this refusal cannot be recorded: ${recorded.error})`);
}

export function grantViews(ports: OperatorDoorPorts, agent: string | null): OperatorAnswer<readonly GrantView[]> {
  if (agent !== null) {
    const known = declaredAgent(ports, agent);
    if (!known.ok) return known;
  }
  const now = ports.now();
  const held = allGrants(ports.grants()).filter((grant) => now < grant.notAfter && (agent === null || grant.agent === agent));
  return accept(held.toSorted((a, b) => a.notAfter - b.notAfter).map((grant) => viewOf(grant, now)));
}

/**
 * A16: when the answer is out, no call that starts has the grant. So it ends first and is written down then: a ledger that is down
 * must not keep a capability alive, and the operator is told what could not be written.
 */
export async function revokeGrant(
  ports: OperatorDoorPorts,
  operator: OperatorPrincipal,
  id: string,
): Promise<OperatorAnswer<{ readonly note: string | null }>> {
  const grant = findGrant(ports.grants(), id as GrantId);
  if (grant === null) return refuse(`no grant ${JSON.stringify(id.slice(0, 64))} holds now; see: holdfast grants`);
  const kept = ports.endGrant(grant.id);
  const recorded = await ports.record(grantEnded(actorOf(operator), grant, 'revoked'));
  const unrecorded = recorded.ok ? [] : [`its end cannot be recorded: ${recorded.error}`];
  const notes = [...(kept.ok ? [] : [kept.error]), ...unrecorded];
  return accept({ note: notes.length === 0 ? null : notes.join('; ') });
}

export function requestViews(ports: Pick<OperatorDoorPorts, 'requests'>): readonly RequestView[] {
  return ports.requests().map(({ id, agent, capability, reason, forMs, askedAt }) => ({
    id, agent, capability: formatCapability(capability), reason, forMs, askedAt,
  }));
}

export async function refuseRequest(
  ports: OperatorDoorPorts,
  operator: OperatorPrincipal,
  id: string,
  reason: string,
): Promise<OperatorAnswer<null>> {
  const request = ports.requests().find((r) => r.id === id);
  if (request === undefined) return refuse(`no request ${JSON.stringify(id.slice(0, 64))} waits; see: holdfast requests`);
  const recorded = await ports.record(
    draftBy(operator, 'grant.refused', {
      request: request.id,
      agent: request.agent,
      capability: formatCapability(request.capability),
      for_ms: request.forMs,
      reason: short(reason),
      why: 'an operator said no',
    }),
  );
  if (!recorded.ok) return refuse(`the request stays open, for its end cannot be recorded: ${recorded.error}`);
  ports.replaceRequests(withoutRequests(ports.requests(), new Set([id])));
  return accept(null);
}

/** Wishes that the grant fulfils are answered by it. */
function answerRequests(ports: OperatorDoorPorts, grant: Grant): void {
  const fulfilled = ports.requests().filter((r) => r.agent === grant.agent && contains(grant.capability, r.capability));
  ports.replaceRequests(withoutRequests(ports.requests(), new Set(fulfilled.map((r) => r.id))));
}

export function viewOf(grant: Grant, now: number): GrantView {
  return {
    id: grant.id,
    agent: grant.agent,
    capability: formatCapability(grant.capability),
    reason: grant.reason,
    grantedBy: grant.grantedBy,
    leftMs: Math.max(0, grant.notAfter - now),
    usesLeft: grant.usesLeft,
  };
}


/** What a refused request said goes into the ledger short and well-formed, else it could not be written at all. */
function short(text: string): string {
  return text.slice(0, 1_024).toWellFormed();
}
