// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CallId } from '../identity/ids.ts';
import { EMPTY_ACCOUNT, KINDS, reserve, retryAfter, settle, settleAll, WINDOWS, type Account, type Amounts, type Kind, type Limits } from './account.ts';
import { readAccount, writeAccount } from './account-file.ts';

// Callers at the same time reserve, settle for any part of what they reserved, are lost, and time passes, also to where things leave
// their windows; between any two of these holdfastd restarts. Against a record of each single charge, which knows nothing of grains.

const COUNT = Number(process.env['HOLDFAST_COUNT'] ?? 10_000);

const amounts = fc.record({ cost: fc.nat(60), tokens: fc.nat(60), requests: fc.nat(3), bytes: fc.nat(60) });
const limits = fc.record({ cost: fc.option(fc.nat(300)), tokens: fc.option(fc.nat(300)), requests: fc.nat(30), bytes: fc.nat(400) });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('reserve' as const), amounts }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('settle' as const), which: fc.nat(), share: fc.nat(100) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.oneof(fc.nat(90_000), fc.nat(4_000_000), fc.nat(100_000_000)) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'lost' as const }) },
);

type Charged = { readonly at: number; readonly amounts: Amounts };

function spentFor(charged: readonly Charged[], kind: Kind, now: number): number {
  return charged.filter(({ at }) => now < at + WINDOWS[kind].ms).reduce((sum, one) => sum + one.amounts[kind], 0);
}

function share(whole: Amounts, part: number): Amounts {
  const of = (kind: Kind): number => Math.floor((whole[kind] * part) / 100);
  return { cost: of('cost'), tokens: of('tokens'), requests: of('requests'), bytes: of('bytes') };
}

test(`no interleaving of reserving, settling, losing, restarting and waiting spends more than a limit (${COUNT})`, () => {
  let allowed = 0;
  let refused = 0;
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 40, size: 'max' }), (most: Limits, steps) => {
      let account: Account = EMPTY_ACCOUNT;
      let now = 5_000_000;
      let calls = 0;
      const charged: Charged[] = [];
      for (const one of steps) {
        switch (one.do) {
          case 'reserve': {
            const answer = reserve(account, most, `c${(calls += 1)}` as CallId, one.amounts, now);
            if (answer.ok) account = answer.account;
            if (answer.ok) allowed += 1;
            else refused += 1;
            // Refused only where it would not fit, but for what is still in a grain that is not over.
            if (!answer.ok) {
              const { kind, limit, asked, retryAfterMs } = answer.over;
              const inGrains = charged.filter(({ at }) => now < at + WINDOWS[kind].ms + WINDOWS[kind].grainMs).reduce((sum, c) => sum + c.amounts[kind], 0);
              const open = account.open.reduce((sum, r) => sum + r.amounts[kind], 0);
              expect(inGrains + open + asked).toBeGreaterThan(limit);
              // And what it says of when: with nothing else open it is then so.
              if (retryAfterMs === null) expect(asked).toBeGreaterThan(limit);
              else expect(reserve({ ...account, open: [] }, { ...noLimits, [kind]: limit }, 'later' as CallId, one.amounts, now + retryAfterMs).ok).toBe(true);
            }
            break;
          }
          case 'settle': {
            const open = account.open[one.which % Math.max(1, account.open.length)];
            if (open === undefined) break;
            const actual = share(open.amounts, one.share);
            charged.push({ at: now, amounts: actual });
            account = settle(account, open.call, actual, now);
            // An end that is told twice is charged once.
            account = settle(account, open.call, actual, now);
            break;
          }
          case 'wait':
            now += one.ms;
            break;
          case 'restart': {
            const clock = { boot: 'b', bootMs: 1, wallMs: 1, ms: now };
            const read = readAccount(JSON.parse(writeAccount({ clock, account })));
            if (!read.ok) throw new Error(read.error);
            account = read.value.account;
            break;
          }
          case 'lost':
            for (const open of account.open) charged.push({ at: now, amounts: open.amounts });
            account = settleAll(account, now);
            break;
        }
        for (const kind of KINDS) {
          const limit = most[kind];
          const open = account.open.reduce((sum, r) => sum + r.amounts[kind], 0);
          if (limit !== null) expect(spentFor(charged, kind, now) + open).toBeLessThanOrEqual(limit);
        }
      }
    }),
    { numRuns: COUNT },
  );
  // The control: both happen, and often.
  expect(allowed).toBeGreaterThan(COUNT);
  expect(refused).toBeGreaterThan(COUNT);
});

const noLimits: Limits = { cost: null, tokens: null, requests: null, bytes: null };

test('a clock that goes back frees nothing, and what is spent then counts as long as what was spent before', () => {
  const at = 100 * WINDOWS.cost.ms;
  const one = { cost: 60, tokens: 0, requests: 1, bytes: 0 };
  let account = must(reserve(EMPTY_ACCOUNT, { ...noLimits, cost: 100 }, 'a' as CallId, one, at));
  account = settle(account, 'a' as CallId, one, at);
  expect(reserve(account, { ...noLimits, cost: 100 }, 'b' as CallId, one, 0).ok).toBe(false);
  expect(retryAfter(account, 'cost', 40, 0)).toBeGreaterThan(at);
});

function must(answer: ReturnType<typeof reserve>): Account {
  if (!answer.ok) throw new Error('refused');
  return answer.account;
}
