// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { refusal, retryAfter, statusOf } from './net-refusal.ts';

test.each([
  ['where asking helps, and waiting does not', 'not_declared', null, 403, null],
  ['what is free in a moment', 'quota', 2_000, 429, '2'],
  ['part of a second', 'too_many', 1, 429, '1'],
  ['what is free in two minutes', 'quota', 120_000, 429, '120'],
  ['what is free later: programs would wait in silence', 'quota', 120_001, 403, null],
  ['what is free in a day', 'quota', 86_400_000, 403, null],
  ['what cannot be read', 'bad_request', null, 400, null],
  ['a fault of others', 'upstream_failed', null, 502, null],
] as const)('%s', (_, rule, retryAfterMs, status, seconds) => {
  const refused = refusal(rule, 'why', null, retryAfterMs);
  expect([statusOf(refused), retryAfter(refused)]).toEqual([status, seconds]);
});
