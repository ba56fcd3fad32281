// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCapability } from '../capability/capability.ts';
import { parseCeiling } from '../capability/ceiling.ts';
import { allGrants, give, type Grant, type GrantEnd } from '../capability/grant.ts';
import type { AgentName, GrantId, OperatorName, SessionId } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';
import { keepGrants, type KeptGrants } from './kept-grants.ts';

const DEMO = 'demo' as AgentName;
const SESSION = 's' as SessionId;
let dir = '';
let now = 1_000;
let ended: string[] = [];
let open: KeptGrants[] = [];

beforeEach(() => {
  dir = mkdtempSync('/tmp/holdfast-grants-');
  now = 1_000;
  ended = [];
  open = [];
});
afterEach(() => {
  for (const grants of open) grants.close();
  rmSync(dir, { recursive: true, force: true });
});

function start(boot = 'boot-1'): { readonly grants: KeptGrants; readonly note: string | null } {
  const kept = keepGrants(dir, boot, { now: () => now }, (grant: Grant, how: GrantEnd) => ended.push(`${grant.id} ${how}`));
  open.push(kept.grants);
  return kept;
}

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function giveTo(grants: KeptGrants, id: string, forMs: number, usesLeft: number | null = null): Grant {
  const grant: Grant = {
    id: id as GrantId, agent: DEMO, capability: value(parseCapability('fs:read:/srv/**')), notAfter: now + forMs, usesLeft,
    session: null, reason: 'r', grantedBy: 'anna' as OperatorName,
  };
  const ceiling = value(parseCeiling({ allow: ['fs:read:*'], deny: [] }));
  value(grants.replace(value(give(grants.book(), grant, ceiling, now)).book));
  return grant;
}

const ids = (grants: KeptGrants): readonly string[] => allGrants(grants.book()).map(({ id }) => id);

test('grants are there after a restart in the same boot, with their ends and uses', () => {
  const { grants } = start();
  giveTo(grants, 'g-1', 60_000);
  const counted = giveTo(grants, 'g-2', 60_000, 2);
  value(grants.spend(DEMO, [counted], now));
  grants.close();
  const again = start();
  expect(again.note).toBeNull();
  expect(allGrants(again.grants.book())).toEqual(expect.arrayContaining([...allGrants(grants.book())]));
  expect(allGrants(again.grants.book()).find(({ id }) => id === 'g-2')?.usesLeft).toBe(1);
});

test('a use is on disk before the call that spent it goes on; the last one ends the grant', () => {
  const { grants } = start();
  const once = giveTo(grants, 'g-1', 60_000, 1);
  value(grants.spend(DEMO, [once], now));
  expect(ended).toEqual(['g-1 used up']);
  expect(grants.spend(DEMO, [once], now).ok).toBe(false);
  expect(ids(start().grants)).toEqual([]);
});

test.each<[string, (path: string) => void]>([
  ['another boot', () => undefined],
  ['half a file', (path) => writeFileSync(path, readFileSync(path, 'utf8').slice(0, -20))],
  ['an empty file', (path) => writeFileSync(path, '')],
  ['an unknown field', (path) => writeFileSync(path, readFileSync(path, 'utf8').replace('"v":1', '"v":1,"more":1'))],
])('%s: nothing is granted, and a person is told (A29)', (what, spoil) => {
  const { grants } = start();
  giveTo(grants, 'g-1', 60_000);
  spoil(join(dir, 'grants.json'));
  const again = start(what === 'another boot' ? 'boot-2' : 'boot-1');
  expect(ids(again.grants)).toEqual([]);
  expect(again.note).toContain('nothing is granted');
});

test('one that ended while nobody looked is ended, and told, at the start', () => {
  const { grants } = start();
  giveTo(grants, 'g-1', 5_000);
  giveTo(grants, 'g-2', 60_000);
  grants.close();
  now += 5_000;
  const again = start();
  expect(ids(again.grants)).toEqual(['g-2']);
  expect(ended).toEqual(['g-1 expired']);
});

test('an end is observed by the clock when it comes', async () => {
  const { grants } = start();
  giveTo(grants, 'g-1', 20);
  await sleep(40);
  // The timer ran, but the boot clock stood still: nothing has ended.
  expect(ended).toEqual([]);
  now += 20;
  await sleep(40);
  expect(ended).toEqual(['g-1 expired']);
  expect(grants.heldBy(DEMO, SESSION, now).grants).toEqual([]);
});

test('a revoked grant is revoked for calls that already hold it (A16)', () => {
  const { grants } = start();
  const grant = giveTo(grants, 'g-1', 60_000);
  expect(grants.isRevoked(grant.id)).toBe(false);
  value(grants.end(grant.id));
  expect([grants.isRevoked(grant.id), ids(grants), ids(start().grants)]).toEqual([true, [], []]);
});

test('what cannot be kept is not kept in an older form either', () => {
  const { grants } = start();
  const grant = giveTo(grants, 'g-1', 60_000);
  rmSync(dir, { recursive: true });
  expect(grants.end(grant.id)).toMatchObject({ ok: false, error: expect.stringContaining('it would start without any') });
  expect(existsSync(join(dir, 'grants.json'))).toBe(false);
  expect(ids(grants)).toEqual([]);
});
