// SPDX-License-Identifier: Apache-2.0
import type { Price, PriceTable } from './price.ts';

// What Anthropic's pages said of its models on DATE (platform.claude.com/docs/en/about-claude/pricing and the pages of the models).
// Dollars for a million tokens. Only what was seen there stands here; an operator's own file adds to it and overrides it
// (config/price-file.ts). Not in it: surcharges that a response does not tell of (fast mode, regional inference, tools of the vendor).

const DATE = '2026-10-24';

type Dollars = { readonly input: number; readonly cached: number; readonly write: number; readonly output: number };
type Row = Dollars & { readonly most: number; readonly long?: Dollars & { readonly above: number } };

const ROWS: Readonly<Record<string, Row>> = {
  'claude-fable-5-1': { input: 10, cached: 0.25, write: 20, output: 50, most: 128_000 },
  'claude-fable-5': { input: 10, cached: 1, write: 20, output: 50, most: 128_000 },
  // Where sources differ on what reading a cache costs, the dearer.
  'claude-opus-5-5': { input: 4, cached: 0.4, write: 8, output: 20, most: 128_000 },
  'claude-opus-5': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-8': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-7': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-6': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-5': { input: 5, cached: 0.5, write: 10, output: 25, most: 64_000 },
  'claude-opus-4-1': { input: 15, cached: 1.5, write: 30, output: 75, most: 32_000 },
  'claude-sonnet-5-5': { input: 2, cached: 0.2, write: 4, output: 10, most: 128_000 },
  'claude-sonnet-5': { input: 2, cached: 0.2, write: 4, output: 10, most: 128_000 },
  'claude-sonnet-4-6': { input: 3, cached: 0.3, write: 6, output: 15, most: 128_000 },
  'claude-sonnet-4-5': { input: 3, cached: 0.3, write: 6, output: 15, most: 64_000, long: { above: 200_000, input: 6, cached: 0.6, write: 12, output: 22.5 } },
  'claude-sonnet-4': { input: 3, cached: 0.3, write: 6, output: 15, most: 64_000, long: { above: 200_000, input: 6, cached: 0.6, write: 12, output: 22.5 } },
  'claude-haiku-5-5': { input: 0.1, cached: 0.01, write: 0.2, output: 0.5, most: 128_000, long: { above: 100_000, input: 0.5, cached: 0.05, write: 1, output: 2.5 } },
  'claude-haiku-4-5': { input: 1, cached: 0.1, write: 2, output: 5, most: 64_000 },
  'claude-3-5-haiku': { input: 0.8, cached: 0.08, write: 1.6, output: 4, most: 8_192 },
};

export const KNOWN_PRICES: PriceTable = { date: DATE, models: new Map(Object.entries(ROWS).map(([model, row]) => [model, priced(row)])) };

function priced({ most, long, ...dollars }: Row): Price {
  return { ...rates(dollars), maxOutput: most, long: long === undefined ? null : { ...rates(long), above: long.above } };
}

function rates({ input, cached, write, output }: Dollars) {
  return { input: millionths(input), cachedInput: millionths(cached), cacheWrite: millionths(write), output: millionths(output) };
}

function millionths(dollars: number): number {
  return Math.round(dollars * 1_000_000);
}
