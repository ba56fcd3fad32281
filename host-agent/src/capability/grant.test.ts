// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { AgentName, GrantId, OperatorName, SessionId } from '../identity/ids.ts';
import { parseCapability } from './capability.ts';
import { parseCeiling } from './ceiling.ts';
import { readGrants, writeGrants } from './grant-file.ts';
import type { Grant, GrantBook } from './grant.ts';
import { allGrants, closeSession, EMPTY_BOOK, expire, findGrant, give, heldBy, revoke, useGrants } from './grant.ts';
import { hasRoom, MAX_OPEN_REQUESTS, openRequest, withoutRequests, withRequest, type RequestBook } from './request-book.ts';

const demo = 'demo' as AgentName;
const other = 'other' as AgentName;
const session = 's1' as SessionId;
const ceiling = parsed(parseCeiling({ allow: ['fs:read:/etc/**'], deny: ['fs:read:/etc/shadow'] }));

describe('the book of grants (R3)', () => {
  test('what is given is held by that agent, until its end and not at it', () => {
    const book = given(grant({ notAfter: 1000 }));
    expect(ids(heldBy(book, demo, session, 999))).toEqual(['g1']);
    expect(ids(heldBy(book, demo, session, 1000))).toEqual([]);
    expect(ids(heldBy(book, other, session, 1))).toEqual([]);
  });

  test('outside the ceiling it is refused when given', () => {
    expect(give(EMPTY_BOOK, grant({}), ceiling, 0).ok).toBe(true);
    const refused = give(EMPTY_BOOK, grant({ capability: 'fs:read:/var/log/x' }), ceiling, 0);
    expect(refused.ok ? '' : refused.error).toContain('not inside the type');
    const answer = parsed(give(EMPTY_BOOK, grant({ capability: 'fs:read:/etc/**' }), ceiling, 0));
    expect(answer.shadowedBy.map((deny) => deny.resource)).toEqual(['/etc/shadow']);
  });

  test.each([
    [{ notAfter: 5 }, 'not in the future'],
    [{ notAfter: Number.NaN }, 'not in the future'],
    [{ notAfter: Infinity }, 'not in the future'],
    [{ notAfter: 2 ** 53 }, 'not in the future'],
    [{ usesLeft: 0 }, 'number of uses'],
    [{ usesLeft: -1 }, 'number of uses'],
    [{ usesLeft: 1.5 }, 'number of uses'],
  ])('A25: %j is refused: %s', (part, why) => {
    const answer = give(EMPTY_BOOK, grant(part), ceiling, 5);
    expect(answer.ok ? '' : answer.error).toContain(why);
  });

  test('an id is given once', () => {
    expect(give(given(grant({})), grant({ agent: other }), ceiling, 0).ok).toBe(false);
  });

  test('uses are counted, and the last one ends it', () => {
    const book = given(grant({ usesLeft: 2 }));
    const once = parsed(useGrants(book, demo, ids(heldBy(book, demo, session, 0)), 0));
    expect(once.ended).toEqual([]);
    const twice = parsed(useGrants(once.book, demo, ['g1' as GrantId], 0));
    expect(twice.ended.map((ended) => ended.id)).toEqual(['g1']);
    expect(useGrants(twice.book, demo, ['g1' as GrantId], 0).ok).toBe(false);
    expect(findGrant(book, 'g1' as GrantId)?.usesLeft).toBe(2);
  });

  test('one call counts once, however many of its needs the grant covers; and another agent cannot use it', () => {
    const book = given(grant({ usesLeft: 1 }));
    expect(useGrants(book, other, ['g1' as GrantId], 0).ok).toBe(false);
    expect(useGrants(book, demo, ['g1' as GrantId], 1_000_000).ok).toBe(false);
    expect(useGrants(book, demo, ['g1' as GrantId, 'g1' as GrantId], 0).ok).toBe(true);
  });

  test('it ends by revocation, by time and with its session', () => {
    const book = given(grant({}), grant({ id: 'g2', notAfter: 50 }), grant({ id: 'g3', session: 's1' }));
    expect(ids(heldBy(book, demo, session, 0))).toEqual(['g1', 'g3', 'g2']);
    expect(ids(heldBy(book, demo, 's2' as SessionId, 0))).toEqual(['g1', 'g2']);
    expect(revoke(book, 'g1' as GrantId).ended.map(({ id }) => id)).toEqual(['g1']);
    expect(expire(book, 50).ended.map(({ id }) => id)).toEqual(['g2']);
    expect(expire(book, 49).ended).toEqual([]);
    expect(closeSession(book, session).ended.map(({ id }) => id)).toEqual(['g3']);
    expect(allGrants(closeSession(book, session).book)).toHaveLength(2);
  });

  test('grants without a use count come first, then those that last longer', () => {
    const book = given(grant({ id: 'few', usesLeft: 1, notAfter: 9000 }), grant({ id: 'short', notAfter: 10 }), grant({ id: 'long' }));
    expect(ids(heldBy(book, demo, session, 0))).toEqual(['long', 'short', 'few']);
  });
});

describe('over a restart in the same boot (R3, A29)', () => {
  const book = given(grant({ usesLeft: 3, session: 's1', reason: 'say "why"\n' }), grant({ id: 'g2', agent: other }));
  const file = writeGrants(book, 'boot-1');

  test('every grant comes back as it was', () => {
    expect(allGrants(parsed(readGrants(file, 'boot-1', 0)))).toEqual(allGrants(book));
  });

  test('what ended meanwhile does not come back', () => {
    const both = given(grant({ notAfter: 10 }), grant({ id: 'g2' }));
    expect(allGrants(parsed(readGrants(writeGrants(both, 'b'), 'b', 10))).map(({ id }) => id)).toEqual(['g2']);
  });

  test('a file cut off anywhere grants nothing', () => {
    for (let length = 0; length < file.trimEnd().length; length += 1) expect(readGrants(file.slice(0, length), 'boot-1', 0).ok).toBe(false);
  });

  test.each([
    ['another boot', file, 'boot-2'],
    ['an unknown field', file.replace('"reason"', '"rank":1,"reason"'), 'boot-1'],
    ['a missing field', file.replace('"usesLeft":3,', ''), 'boot-1'],
    ['a bad capability', file.replace('/etc/os-release', '/etc/../shadow'), 'boot-1'],
    ['a bad use count', file.replace('"usesLeft":3', '"usesLeft":0'), 'boot-1'],
    ['an end that is no number', file.replace('"notAfter":5000', '"notAfter":"5000"'), 'boot-1'],
    ['an end beyond every number', file.replace('"notAfter":5000', '"notAfter":1e400'), 'boot-1'],
    ['a bad agent name', file.replace('"agent":"demo"', '"agent":"demo-x"'), 'boot-1'],
    ['an id that is there twice', file.replace('"g2"', '"g1"'), 'boot-1'],
    ['another version', file.replace('"v":1', '"v":2'), 'boot-1'],
    ['null', 'null', 'boot-1'],
  ])('%s: nothing is granted', (_, text, boot) => {
    expect(text === file && boot === 'boot-1').toBe(false);
    expect(readGrants(text, boot, 0).ok).toBe(false);
  });
});

test('requests: asking twice is one wish, and an agent has room for so many', () => {
  const capability = parsed(parseCapability('fs:read:/etc/os-release'));
  let book: RequestBook = [];
  for (let n = 0; n < MAX_OPEN_REQUESTS; n += 1) {
    expect(hasRoom(book, demo).ok).toBe(true);
    book = withRequest(book, { id: `r${n}`, agent: demo, capability, forMs: 1, reason: '', askedAt: '' });
  }
  expect(hasRoom(book, demo).ok).toBe(false);
  expect(hasRoom(book, other).ok).toBe(true);
  expect(openRequest(book, demo, capability)?.id).toBe('r0');
  expect(openRequest(book, other, capability)).toBeNull();
  expect(hasRoom(withoutRequests(book, new Set(['r3'])), demo).ok).toBe(true);
});

type Part = Partial<Pick<Grant, 'agent' | 'notAfter' | 'usesLeft' | 'reason'>> & { id?: string; capability?: string; session?: string };

function grant(part: Part): Grant {
  return {
    id: (part.id ?? 'g1') as GrantId,
    agent: part.agent ?? demo,
    capability: parsed(parseCapability(part.capability ?? 'fs:read:/etc/os-release')),
    notAfter: part.notAfter ?? 5000,
    usesLeft: part.usesLeft ?? null,
    session: (part.session ?? null) as SessionId | null,
    reason: part.reason ?? 'a test',
    grantedBy: 'ada' as OperatorName,
  };
}

function given(...grants: readonly Grant[]): GrantBook {
  return grants.reduce((book, one) => parsed(give(book, one, ceiling, 0)).book, EMPTY_BOOK);
}

function ids(held: { readonly grants: readonly Grant[] }): readonly GrantId[] {
  return held.grants.map(({ id }) => id);
}

function parsed<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}
