// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ModelAsk, ModelUsage } from '../egress/egress-wire.ts';
import { KNOWN_PRICES } from './known-prices.ts';
import { amountWords, dollars, overWords } from './over-limit.ts';
import { ceilingOf, costOf, priceOf, type Price } from './price.ts';
import { chargeFor, foresee } from './spending.ts';

const SONNET = priceOf(KNOWN_PRICES, 'claude-sonnet-4-5')!;
const NONE = { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 };
const ASK: ModelAsk = { api: 'anthropic-messages', model: 'claude-sonnet-4-5', maxOutputTokens: 1_000, inputBytes: 4_000 };

test.each([
  ['claude-sonnet-4-5', 3_000_000],
  ['claude-sonnet-4-5-20250929', 3_000_000],
  ['claude-opus-4-5-20251101', 5_000_000],
  ['claude-haiku-4-5-20251001', 1_000_000],
  ['claude-3-5-haiku-20241022', 800_000],
  ['gpt-5.1', 1_250_000],
  ['gpt-5.1-2025-11-13', 1_250_000],
  ['gpt-6.2-sol', 2_000_000],
  ['gpt-5.1-2025-1113', null],
  ['gpt-5.1-codex-2027', null],
  // Nothing is guessed from how a name begins.
  ['claude-sonnet-4-5-turbo', null],
  ['claude-sonnet-9', null],
  ['claude', null],
  ['', null],
  ['CLAUDE-SONNET-4-5', null],
  ['gpt-9', null],
  ['__proto__', null],
])('the price of input of %s is %j', (model, input) => {
  expect(priceOf(KNOWN_PRICES, model)?.input ?? null).toBe(input);
});

test.each([
  ['at the border of the long band', 272_000, 272_000 * 2 + 100],
  ['above it, all at the long rate', 272_001, 272_001 * 4 + 150],
])('OpenAI, %s', (_, input, cost) => expect(costOf(priceOf(KNOWN_PRICES, 'gpt-6.2-sol')!, { ...NONE, input, output: 10 })).toBe(cost));

test('every known price is whole, and output is dearer than input, input than reading a cache, and writing one no cheaper', () => {
  expect(KNOWN_PRICES.date).toMatch(/^\d{4}-\d\d-\d\d$/);
  for (const [model, { long, ...price }] of KNOWN_PRICES.models) {
    for (const rates of long === null ? [price] : [price, long]) {
      for (const rate of Object.values(rates)) expect(Number.isSafeInteger(rate) && rate > 0, model).toBe(true);
      expect(rates.cachedInput < rates.input && rates.input <= rates.cacheWrite && rates.cacheWrite < rates.output, model).toBe(true);
    }
  }
});

test.each<[string, Partial<typeof NONE>, number]>([
  ['nothing', {}, 0],
  ['a million tokens in', { input: 1_000_000, output: 0 }, 6_000_000],
  ['a hundred thousand in', { input: 100_000 }, 300_000],
  ['one token in', { input: 1 }, 3],
  ['one from a cache, rounded up', { cachedInput: 1 }, 1],
  ['two thousand out', { output: 2_000 }, 30_000],
  ['of each', { input: 100, cachedInput: 1_000, cacheWrite: 50, output: 10 }, 300 + 300 + 300 + 150],
  ['at the border of the long band', { input: 200_000 }, 600_000],
  ['above it, all of it at the long rate', { input: 100_000, cachedInput: 100_001, output: 10 }, 600_000 + 60_001 + 225],
])('the cost of %s', (_, tokens, cost) => {
  expect(costOf(SONNET, { ...NONE, ...tokens })).toBe(cost);
});

test('property: no cost is less than its exact fraction, or more than one millionth above it', () => {
  const price = fc.record({ input: fc.nat(100_000_000), cachedInput: fc.nat(100_000_000), cacheWrite: fc.nat(100_000_000), output: fc.nat(100_000_000) });
  const tokens = fc.record({ input: fc.nat(1e9), cachedInput: fc.nat(1e9), cacheWrite: fc.nat(1e9), output: fc.nat(1e9) });
  fc.assert(fc.property(price, tokens, (rates, t) => {
    const cost = BigInt(costOf({ ...rates, maxOutput: 1, long: null } satisfies Price, t)) * 1_000_000n;
    const exact = BigInt(t.input) * BigInt(rates.input) + BigInt(t.cachedInput) * BigInt(rates.cachedInput) + BigInt(t.cacheWrite) * BigInt(rates.cacheWrite) + BigInt(t.output) * BigInt(rates.output);
    return cost >= exact && cost - exact < 1_000_000n;
  }));
});

test('property: no usage within the bytes and the most output of a request costs more than its ceiling', () => {
  const models = [...KNOWN_PRICES.models.keys()];
  fc.assert(fc.property(fc.constantFrom(...models), fc.nat(600_000), fc.nat(8_000), fc.array(fc.nat(100), { minLength: 4, maxLength: 4 }), (model, inputBytes, maxOutputTokens, [a, b, c, o]) => {
    const price = priceOf(KNOWN_PRICES, model)!;
    const whole = Math.max(1, a! + b! + c!);
    const part = (n: number): number => Math.floor((inputBytes * n) / whole);
    const usage = { input: part(a!), cachedInput: part(b!), cacheWrite: part(c!), output: Math.floor((maxOutputTokens * o!) / 100) };
    return costOf(price, usage) <= ceilingOf(price, { ...ASK, model, inputBytes, maxOutputTokens }).cost;
  }));
});

test('who does not say how much may come back is held the most that the model can give', () => {
  expect(foresee({ ...ASK, maxOutputTokens: null }, KNOWN_PRICES)).toEqual({ tokens: 68_000, cost: 4_000 * 6 + 64_000 * 15, priced: true });
  expect(foresee({ ...ASK, model: 'mine', maxOutputTokens: null }, KNOWN_PRICES)).toEqual({ tokens: 132_000, cost: 0, priced: false });
  expect(foresee(null, KNOWN_PRICES)).toEqual({ tokens: 0, cost: 0, priced: true });
});

describe('what a request is charged', () => {
  const reserved = { cost: 999, tokens: 5_000, requests: 1, bytes: 100 };
  const usage: ModelUsage = { model: 'claude-sonnet-4-5-20250929', input: 100, cachedInput: 0, cacheWrite: 0, output: 10, said: true };
  const end = { status: 200, usage, bytesUp: 7, bytesDown: 8 } as const;
  test.each([
    ['what its response says', end, 450, 110, 'said'],
    ['by the model that answered', { ...end, usage: { ...usage, model: 'claude-haiku-4-5' } }, 150, 110, 'said'],
    ['by the model that was asked, where nobody knows the one that answered', { ...end, usage: { ...usage, model: 'secret-preview' } }, 450, 110, 'said'],
    ['its ceiling without usage', { ...end, usage: null }, 999, 5_000, 'ceiling'],
    ['its ceiling where egress only estimates', { ...end, usage: { ...usage, said: false } }, 999, 5_000, 'ceiling'],
    ['its ceiling when it was cut off', { ...end, status: null, usage: null }, 999, 5_000, 'ceiling'],
    ['its ceiling after a gateway time-out', { ...end, status: 504, usage: null }, 999, 5_000, 'ceiling'],
    ['its ceiling after 408', { ...end, status: 408, usage: null }, 999, 5_000, 'ceiling'],
    ['nothing when it was never sent', { ...end, status: null, usage: null, bytesUp: 0 }, 0, 0, 'nothing'],
    ['nothing when the vendor refused it', { ...end, status: 401, usage: null }, 0, 0, 'nothing'],
    ['nothing when the vendor was overloaded', { ...end, status: 529, usage: null }, 0, 0, 'nothing'],
    ['what an error says all the same', { ...end, status: 400 }, 450, 110, 'said'],
  ] as const)('%s', (_, ended, cost, tokens, basis) => {
    expect(chargeFor(ASK, reserved, ended, KNOWN_PRICES)).toMatchObject({ amounts: { cost, tokens, requests: 1 }, basis });
  });

  test('bytes and one request where there is no model', () => {
    expect(chargeFor(null, reserved, { ...end, usage: null }, KNOWN_PRICES)).toEqual({ amounts: { cost: 0, tokens: 0, requests: 1, bytes: 15 }, basis: 'no model', priced: true });
  });
});

test.each([[0, '$0.00'], [1, '$0.000001'], [10_000, '$0.01'], [5_000_000, '$5.00'], [1_234_500, '$1.2345'], [12_000_300, '$12.0003']])('%d millionths are %s', (millionths, text) => {
  expect(dollars(millionths)).toBe(text);
});

test('a refusal says what was asked, what there is, and when', () => {
  const over = { kind: 'cost', limit: 5_000_000, spent: 4_800_000, open: 0, asked: 520_000, retryAfterMs: 7_800_000 } as const;
  expect(overWords(over)).toBe('This request may cost up to $0.52, and of the $5.00 that you have in 24 hours, $4.80 are spent. Enough is free again in 2 h 10 min.');
  expect(overWords({ ...over, open: 100_000, retryAfterMs: 2_000 })).toContain('$0.10 held for requests that are under way. Enough is free again in 2 s.');
  expect(overWords({ ...over, kind: 'tokens', retryAfterMs: null, asked: 6_000_000 })).toContain('more than the 5000000 tokens that you have in an hour altogether');
  expect(amountWords('requests', 1)).toBe('1 request');
});
