// SPDX-License-Identifier: Apache-2.0
import type { ModelAsk, ModelUsage } from '../egress/egress-wire.ts';

/** Millionths of a US dollar for a million tokens: 3 dollars are 3000000. Whole numbers all the way, so that no sum drifts. */
export type Rates = {
  readonly input: number;
  readonly cachedInput: number;
  /** A response does not say for how long its cache is kept, so this is the dearest of the vendor's prices for writing it. */
  readonly cacheWrite: number;
  readonly output: number;
};

export type Price = Rates & {
  /** The most tokens that one answer can have. */
  readonly maxOutput: number;
  /** Of a request whose whole input has more tokens than `above`, for all of its tokens. */
  readonly long: (Rates & { readonly above: number }) | null;
};

export type PriceTable = { readonly date: string; readonly models: ReadonlyMap<string, Price> };

/** Tokens, each counted in one place only: `input` is what was neither read from a cache nor written to one. */
export type Tokens = Pick<ModelUsage, 'input' | 'cachedInput' | 'cacheWrite' | 'output'>;

/** Of a model that nobody has described. */
const MOST_OUTPUT = 128_000;

/** The day of a snapshot, as vendors append it: claude-sonnet-4-5-20250929, gpt-5.1-2025-11-13. */
const SNAPSHOT = /-20\d\d(-?)\d\d\1\d\d$/;

/** By its whole name, or by its name without the day. Never by how a name begins: a newer model may cost more. */
export function priceOf({ models }: PriceTable, model: string): Price | null {
  return models.get(model) ?? models.get(model.replace(SNAPSHOT, '')) ?? null;
}

/** Millionths of a dollar, rounded up once. */
export function costOf(price: Price, tokens: Tokens): number {
  const whole = tokens.input + tokens.cachedInput + tokens.cacheWrite;
  const rates = price.long !== null && whole > price.long.above ? price.long : price;
  const parts = [tokens.input, tokens.cachedInput, tokens.cacheWrite, tokens.output];
  const each = [rates.input, rates.cachedInput, rates.cacheWrite, rates.output];
  // A product may pass 2^53.
  const sum = parts.reduce((all, count, i) => all + BigInt(count) * BigInt(each[i]!), 0n);
  return Number((sum + 999_999n) / 1_000_000n);
}

export function tokensOf({ input, cachedInput, cacheWrite, output }: Tokens): number {
  return input + cachedInput + cacheWrite + output;
}

/**
 * The most that a request can come to, by what can be read of it before it is sent. A token is at least a byte of the request; input
 * that a request only names (a file that lies with the vendor, an address to be fetched) is not seen here, and is charged when the
 * response tells of it.
 */
export function ceilingOf(price: Price | null, ask: ModelAsk): { readonly tokens: number; readonly cost: number } {
  const output = ask.maxOutputTokens ?? price?.maxOutput ?? MOST_OUTPUT;
  const tokens = ask.inputBytes + output;
  if (price === null) return { tokens, cost: 0 };
  const none = { cachedInput: 0, output };
  const read = { ...none, input: ask.inputBytes, cacheWrite: 0 };
  const written = { ...none, input: 0, cacheWrite: ask.inputBytes };
  return { tokens, cost: Math.max(costOf(price, read), costOf(price, written)) };
}
