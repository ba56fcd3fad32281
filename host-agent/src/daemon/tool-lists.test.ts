// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { parseCapability } from '../capability/capability.ts';
import { EMPTY_BOOK, expire, give, revoke, type Grant } from '../capability/grant.ts';
import type { GrantId, OperatorName } from '../identity/ids.ts';
import { DEMO, memoryWorld, must } from '../tool-call/testdata/memory-world.ts';
import { watchToolLists } from './tool-lists.ts';

const grantOf = (id: string, capability: string): Grant => ({
  id: id as GrantId,
  agent: DEMO.name,
  capability: must(parseCapability(capability)),
  notAfter: 100,
  usesLeft: null,
  session: null,
  reason: 'r',
  grantedBy: 'anna' as OperatorName,
});
const given = (book: typeof EMPTY_BOOK, id: string, capability: string) => must(give(book, grantOf(id, capability), DEMO.ceiling, 0)).book;

test('a grant, its revocation and its expiry are told when they change the list, and only then', () => {
  const told: string[] = [];
  const lists = watchToolLists(memoryWorld().tools, (agent) => told.push(agent));
  const after = (book: typeof EMPTY_BOOK): number => {
    told.length = 0;
    lists.look([DEMO], book);
    return told.length;
  };
  // The first look is what clients will be shown anyway.
  expect(after(EMPTY_BOOK)).toBe(0);
  const first = given(EMPTY_BOOK, 'g-1', 'process:run:git');
  expect(after(first)).toBe(1);
  const second = given(first, 'g-2', 'process:run:make');
  expect(after(second)).toBe(0);
  // Reading is held anyway.
  expect(after(given(second, 'g-3', 'fs:read:/etc/hosts'))).toBe(0);
  expect(after(revoke(second, 'g-1' as GrantId).book)).toBe(0);
  expect(after(expire(second, 100).book)).toBe(1);
});
