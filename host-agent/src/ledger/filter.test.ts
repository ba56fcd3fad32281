// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { exampleChain } from './testdata/example-chain.ts';
import { derive } from './derive.ts';
import type { JsonValue } from './entry.ts';
import { matches, parseFilter, type QueryFilter } from './filter.ts';

test('a filter with every condition is taken as it is', () => {
  const filter = {
    kind: 'call.refused', actor: 'agent:scout', agent: 'scout', trace: 'a'.repeat(32), outcome: 'refused', tool: 'fs.read',
    since: '2030-01-01T00:00:00.000Z', until: '2030-01-02T00:00:00.000Z', afterSeq: 0, beforeSeq: 9, limit: 1, newestFirst: true,
  };
  expect(parseFilter(filter)).toEqual({ ok: true, value: filter });
});

test.each<[JsonValue, string]>([
  [[], 'must be an object'],
  [{ zone: 'red' }, '"zone" is unknown'],
  [{ kind: 'call' }, 'kind is not one'],
  [{ actor: 'scout' }, 'actor must look like'],
  [{ agent: 1 }, 'agent must be text'],
  [{ since: '2030-01-01' }, 'since must look like'],
  [{ limit: 0 }, 'limit must be'],
  [{ limit: 1001 }, 'limit must be'],
  [{ limit: 1.5 }, 'limit must be'],
  [{ afterSeq: -1 }, 'afterSeq must be'],
  [{ newestFirst: 'yes' }, 'newestFirst must be'],
])('%j is refused', (filter, why) => {
  expect(parseFilter(filter)).toMatchObject({ ok: false, error: expect.stringContaining(why) });
});

describe('matching', () => {
  const rows = exampleChain(40).map(({ entry }) => derive(entry));
  const count = (filter: QueryFilter): number => rows.filter((row) => matches(filter, row)).length;

  test.each<[string, QueryFilter, number]>([
    ['no condition', {}, 40],
    ['kind', { kind: 'call.refused' }, 10],
    ['the derived outcome of a refusal', { outcome: 'refused' }, 10],
    ['the status of an outcome', { outcome: 'ok' }, 10],
    ['a user and an agent are not mixed up', { actor: 'user:alice' }, 10],
    ['an agent of that name did not act', { actor: 'agent:alice' }, 0],
    ['since is included, until is not', { since: '2030-01-01T00:00:02.000Z', until: '2030-01-01T00:00:04.000Z' }, 2],
    ['afterSeq and beforeSeq are not included', { afterSeq: 10, beforeSeq: 13 }, 2],
    ['all conditions together', { kind: 'call.refused', outcome: 'ok' }, 0],
  ])('%s', (_what, filter, expected) => {
    expect(count(filter)).toBe(expected);
  });
});
