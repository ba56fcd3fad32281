// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { CallId } from '../identity/ids.ts';
import { EMPTY_ACCOUNT, reserve, settle } from './account.ts';
import { advance, startClock } from './account-clock.ts';
import { readAccount, writeAccount } from './account-file.ts';

const LIMITS = { cost: null, tokens: null, requests: 10, bytes: 1_000 };
const AMOUNTS = { cost: 5, tokens: 10, requests: 1, bytes: 100 };
const clock = startClock({ boot: 'b1', bootMs: 1_000, wallMs: 1_700_000_000_000 });

function good() {
  const one = reserve(EMPTY_ACCOUNT, LIMITS, 'c-1' as CallId, AMOUNTS, 0);
  if (!one.ok) throw new Error('refused');
  const two = reserve(settle(one.account, 'c-1' as CallId, AMOUNTS, 0), LIMITS, 'c-2' as CallId, AMOUNTS, 0);
  if (!two.ok) throw new Error('refused');
  return { clock, account: two.account };
}

test('an account is read as it was written', () => {
  const kept = good();
  expect(readAccount(JSON.parse(writeAccount(kept)))).toEqual({ ok: true, value: kept });
});

test.each<[string, (file: any) => unknown]>([
  ['no object', () => []],
  ['another version', (file) => ({ ...file, v: 2 })],
  ['a field more', (file) => ({ ...file, note: 1 })],
  ['a field less', (file) => ({ ...file, open: undefined })],
  ['a clock without its boot', (file) => ({ ...file, clock: { ...file.clock, boot: 7 } })],
  ['a negative time', (file) => ({ ...file, clock: { ...file.clock, ms: -1 } })],
  ['a negative amount', (file) => ({ ...file, spent: { ...file.spent, cost: [[600_000, -5]] } })],
  ['half an amount', (file) => ({ ...file, spent: { ...file.spent, cost: [[600_000, 0.5]] } })],
  ['marks out of order', (file) => ({ ...file, spent: { ...file.spent, cost: [[2, 1], [1, 1]] } })],
  ['a kind less', (file) => ({ ...file, spent: { ...file.spent, cost: undefined } })],
  ['a reservation without its amounts', (file) => ({ ...file, open: [{ call: 'c-2' }] })],
  ['a call twice', (file) => ({ ...file, open: [...file.open, ...file.open] })],
])('refused: %s', (_, change) => {
  expect(readAccount(JSON.parse(JSON.stringify(change(JSON.parse(writeAccount(good()))))))).toMatchObject({ ok: false });
});

test.each([
  ['within a boot, by the boot clock alone', { boot: 'b1', bootMs: 61_000, wallMs: 0 }, 60_000],
  ['within a boot, not by a wall clock that was set forward', { boot: 'b1', bootMs: 1_000, wallMs: 2_000_000_000_000 }, 0],
  ['over a boot, by the wall clock', { boot: 'b2', bootMs: 5, wallMs: 1_700_000_060_000 }, 60_000],
  ['over a boot with the wall clock set back, not at all', { boot: 'b2', bootMs: 5, wallMs: 1_600_000_000_000 }, 0],
])('time passes %s', (_, now, ms) => {
  expect(advance(clock, now).ms).toBe(ms);
});
