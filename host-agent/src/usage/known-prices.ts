// SPDX-License-Identifier: Apache-2.0
import type { Price, PriceTable } from './price.ts';

// What vendors' pages said of their models on DATE: Anthropic's (platform.claude.com/docs/en/about-claude/pricing and the pages of the
// models) and OpenAI's (developers.openai.com/api/docs/models, a page each). Of GPT-6 Sol, GPT-6 Luna, GPT-6.1 Sol and all before GPT-5.5 no
// page of OpenAI's own was seen, but several public lists that agree. Dollars for a million tokens. Nothing is guessed; an operator's own
// file adds to it and overrides it (config/price-file.ts), and a model that is in neither is refused where there is a limit on cost.
// Not in it: surcharges that a response does not tell of (fast mode, regional inference, tools of the vendor).

const DATE = '2026-11-22';

type Dollars = { readonly input: number; readonly cached: number; readonly write: number; readonly output: number };
type Row = Dollars & { readonly most: number; readonly long?: Dollars & { readonly above: number } };

const ROWS: Readonly<Record<string, Row>> = {
  'claude-fable-5-1': { input: 10, cached: 0.25, write: 20, output: 50, most: 128_000 },
  'claude-fable-5': { input: 10, cached: 1, write: 20, output: 50, most: 128_000 },
  'claude-opus-5-5': { input: 4, cached: 0.2, write: 8, output: 20, most: 128_000 },
  'claude-opus-5': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-8': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-7': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-6': { input: 5, cached: 0.5, write: 10, output: 25, most: 128_000 },
  'claude-opus-4-5': { input: 5, cached: 0.5, write: 10, output: 25, most: 64_000 },
  'claude-opus-4-1': { input: 15, cached: 1.5, write: 30, output: 75, most: 32_000 },
  // Lists say that reading its cache costs half of this since 2026-10-07; its page did not yet.
  'claude-sonnet-5-5': { input: 2, cached: 0.2, write: 4, output: 10, most: 128_000 },
  'claude-sonnet-5': { input: 2, cached: 0.2, write: 4, output: 10, most: 128_000 },
  'claude-sonnet-4-6': { input: 3, cached: 0.3, write: 6, output: 15, most: 128_000 },
  'claude-sonnet-4-5': { input: 3, cached: 0.3, write: 6, output: 15, most: 64_000, long: { above: 200_000, input: 6, cached: 0.6, write: 12, output: 22.5 } },
  'claude-sonnet-4': { input: 3, cached: 0.3, write: 6, output: 15, most: 64_000, long: { above: 200_000, input: 6, cached: 0.6, write: 12, output: 22.5 } },
  'claude-haiku-5-5': { input: 0.1, cached: 0.01, write: 0.2, output: 0.5, most: 128_000, long: { above: 100_000, input: 0.5, cached: 0.05, write: 1, output: 2.5 } },
  'claude-haiku-4-5': { input: 1, cached: 0.1, write: 2, output: 5, most: 64_000 },
  'claude-3-5-haiku': { input: 0.8, cached: 0.08, write: 1.6, output: 4, most: 8_192 },
};

/** Above so many tokens in, the whole request costs twice for input and cache, and half as much again for output. */
const OPENAI_LONG = 272_000;

/** `write`: the dearest, that of a cache kept for 12 hours, from GPT-6 on; before GPT-5.6 writing cost nothing beside the input. */
const OPENAI: Readonly<Record<string, Dollars & { readonly most: number; readonly long: boolean }>> = {
  'gpt-6.2-sol': { input: 2, cached: 0.1, write: 5, output: 10, most: 128_000, long: true },
  'gpt-6.1-sol': { input: 2, cached: 0.1, write: 5, output: 10, most: 128_000, long: true },
  'gpt-6.1-terra': { input: 1, cached: 0.05, write: 2.5, output: 5, most: 128_000, long: true },
  'gpt-6-sol': { input: 2, cached: 0.2, write: 5, output: 10, most: 128_000, long: true },
  'gpt-6-luna': { input: 0.1, cached: 0.01, write: 0.25, output: 0.5, most: 128_000, long: true },
  // Sources differ: the dearer.
  'gpt-5.6-sol': { input: 5, cached: 0.5, write: 6.25, output: 30, most: 128_000, long: true },
  'gpt-5.6-terra': { input: 2, cached: 0.2, write: 2.5, output: 12, most: 128_000, long: true },
  'gpt-5.6-luna': { input: 0.2, cached: 0.02, write: 0.25, output: 1.2, most: 128_000, long: true },
  'gpt-5.5': { input: 5, cached: 0.5, write: 5, output: 30, most: 128_000, long: true },
  'gpt-5.4': { input: 2.5, cached: 0.25, write: 2.5, output: 15, most: 128_000, long: true },
  'gpt-5.4-mini': { input: 0.75, cached: 0.075, write: 0.75, output: 4.5, most: 128_000, long: false },
  'gpt-5.4-nano': { input: 0.2, cached: 0.02, write: 0.2, output: 1.25, most: 128_000, long: false },
  'gpt-5.3-codex': { input: 1.75, cached: 0.175, write: 1.75, output: 14, most: 128_000, long: false },
  'gpt-5.2-codex': { input: 1.75, cached: 0.175, write: 1.75, output: 14, most: 128_000, long: false },
  'gpt-5.2': { input: 1.75, cached: 0.175, write: 1.75, output: 14, most: 128_000, long: false },
  'gpt-5.1-codex-max': { input: 1.25, cached: 0.125, write: 1.25, output: 10, most: 128_000, long: false },
  'gpt-5.1-codex': { input: 1.25, cached: 0.125, write: 1.25, output: 10, most: 128_000, long: false },
  'gpt-5.1': { input: 1.25, cached: 0.125, write: 1.25, output: 10, most: 128_000, long: false },
  'gpt-5': { input: 1.25, cached: 0.125, write: 1.25, output: 10, most: 128_000, long: false },
  'gpt-5-mini': { input: 0.25, cached: 0.025, write: 0.25, output: 2, most: 128_000, long: false },
  'gpt-5-nano': { input: 0.05, cached: 0.005, write: 0.05, output: 0.4, most: 128_000, long: false },
  'gpt-4.1': { input: 2, cached: 0.5, write: 2, output: 8, most: 32_768, long: false },
  'gpt-4.1-mini': { input: 0.4, cached: 0.1, write: 0.4, output: 1.6, most: 32_768, long: false },
  'gpt-4.1-nano': { input: 0.1, cached: 0.025, write: 0.1, output: 0.4, most: 32_768, long: false },
};

export const KNOWN_PRICES: PriceTable = {
  date: DATE,
  models: new Map([...Object.entries(ROWS), ...Object.entries(OPENAI).map(([model, row]) => [model, ofOpenAi(row)] as const)].map(([model, row]) => [model, priced(row)])),
};

function ofOpenAi({ long, most, ...short }: (typeof OPENAI)[string]): Row {
  const { input, cached, write, output } = short;
  return long ? { ...short, most, long: { above: OPENAI_LONG, input: 2 * input, cached: 2 * cached, write: 2 * write, output: 1.5 * output } } : { ...short, most };
}

function priced({ most, long, ...dollars }: Row): Price {
  return { ...rates(dollars), maxOutput: most, long: long === undefined ? null : { ...rates(long), above: long.above } };
}

function rates({ input, cached, write, output }: Dollars) {
  return { input: millionths(input), cachedInput: millionths(cached), cacheWrite: millionths(write), output: millionths(output) };
}

function millionths(dollars: number): number {
  return Math.round(dollars * 1_000_000);
}
