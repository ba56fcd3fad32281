// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { Price, PriceTable } from '../usage/price.ts';
import type { Problem } from './declared.ts';
import { loadYaml } from './strict-yaml.ts';

// Prices that an operator adds or corrects: `holdfast usage prices FILE`. A model that stands here is wholly as it stands here.

const MONEY = /^(0|[1-9][0-9]{0,4})(?:\.([0-9]{1,6}))?$/;
const dollars = z.string().regex(MONEY, 'must be dollars for a million tokens in quotes, such as "3" or "0.25"');
const rates = {
  input: dollars.describe('A million tokens in that neither come from a cache nor go to one.'),
  output: dollars.describe('A million tokens out.'),
  cached: dollars.optional().describe('Read from a cache; as `input` if left out.'),
  'cache-write': dollars.optional().describe('Written to a cache; twice `input` if left out.'),
};

export const priceFile = z.strictObject({
  models: z.record(z.string().min(1).max(128), z.strictObject({
    ...rates,
    'output-max': z.int().min(1).max(10_000_000).describe('The most tokens that one answer can have: held back where a request does not say.'),
    long: z.strictObject({ above: z.int().min(1).max(100_000_000), ...rates }).optional()
      .describe('Of a request whose whole input has more tokens than `above`, for all of its tokens.'),
  })).describe('By the name that requests use. It also stands for that name with a day behind it: NAME-20260101.'),
});

type Said = z.infer<typeof priceFile>['models'][string];

export type PricesRead =
  | { readonly ok: true; readonly models: ReadonlyMap<string, Price> }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export function parsePriceFile(file: string, text: string): PricesRead {
  const loaded = loadYaml(file, text, priceFile);
  if (!loaded.ok) return loaded;
  return { ok: true, models: new Map(Object.entries(loaded.value.models).map(([model, said]) => [model, priceFrom(said)])) };
}

export function withPrices(known: PriceTable, models: ReadonlyMap<string, Price>): PriceTable {
  return { date: known.date, models: new Map([...known.models, ...models]) };
}

function priceFrom(said: Said): Price {
  const { long } = said;
  return { ...ratesFrom(said), maxOutput: said['output-max'], long: long === undefined ? null : { ...ratesFrom(long), above: long.above } };
}

function ratesFrom(said: Pick<Said, 'input' | 'output' | 'cached' | 'cache-write'>) {
  const input = millionths(said.input);
  const write = said['cache-write'];
  return {
    input,
    cachedInput: said.cached === undefined ? input : millionths(said.cached),
    cacheWrite: write === undefined ? 2 * input : millionths(write),
    output: millionths(said.output),
  };
}

function millionths(text: string): number {
  const match = MONEY.exec(text);
  if (match === null) throw new Error(`not a checked price: ${JSON.stringify(text)}`);
  return Number(match[1]) * 1_000_000 + Number((match[2] ?? '').padEnd(6, '0'));
}
