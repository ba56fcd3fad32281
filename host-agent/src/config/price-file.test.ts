// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { KNOWN_PRICES } from '../usage/known-prices.ts';
import { priceOf } from '../usage/price.ts';
import { priceFileJsonSchema } from './price-file-schema.ts';
import { parsePriceFile, withPrices } from './price-file.ts';

const FILE = `models:
  mine-1: {input: "0.25", output: "2", output-max: 8192}
  claude-haiku-4-5:
    input: "9"
    output: "19.5"
    cached: "0.000001"
    cache-write: "11"
    output-max: 1
    long: {above: 1000, input: "10", output: "20"}
`;

test('what an operator says is added, and takes the place of what was known', () => {
  const read = parsePriceFile('p.yaml', FILE);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  const prices = withPrices(KNOWN_PRICES, read.models);
  expect(priceOf(prices, 'mine-1-20260101')).toEqual({ input: 250_000, cachedInput: 250_000, cacheWrite: 500_000, output: 2_000_000, maxOutput: 8192, long: null });
  expect(priceOf(prices, 'claude-haiku-4-5')).toEqual({
    input: 9_000_000, cachedInput: 1, cacheWrite: 11_000_000, output: 19_500_000, maxOutput: 1,
    long: { above: 1000, input: 10_000_000, cachedInput: 10_000_000, cacheWrite: 20_000_000, output: 20_000_000 },
  });
  expect(priceOf(prices, 'claude-sonnet-4-5')).toBe(priceOf(KNOWN_PRICES, 'claude-sonnet-4-5'));
});

test.each([
  ['models: {a: {input: 3, output: "1", output-max: 1}}', 1, 'models.a.input must be text'],
  ['models:\n  a: {input: "-1", output: "1", output-max: 1}', 2, 'must be dollars for a million tokens'],
  ['models:\n  a: {input: "1", output: "1"}', 2, 'models.a.output-max is missing'],
  ['models:\n  a: {input: "1", output: "1", output-max: 1, per: token}', 2, 'unknown key "per"'],
  ['prices: {}', 1, 'models is missing'],
])('refused with its line: %s', (text, line, message) => {
  const read = parsePriceFile('p.yaml', `${text}\n`);
  expect(read.ok ? [] : read.problems).toContainEqual({ file: 'p.yaml', line, message: expect.stringContaining(message) });
});

test('the published schema is the one the loader uses (else run host-agent/scripts/write-agent-file-schema.ts)', () => {
  expect(readFileSync(new URL('../../../docs/prices.schema.json', import.meta.url), 'utf8')).toBe(priceFileJsonSchema());
});
