// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePriceFile, withPrices } from '../config/price-file.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { KNOWN_PRICES } from '../usage/known-prices.ts';
import type { PriceTable } from '../usage/price.ts';
import { writeDurably } from './durable-file.ts';

export type KeptPrices = {
  readonly table: () => PriceTable;
  /** Why there are none: an operator's file that cannot be read may have said that a model costs more than was known. */
  readonly problem: () => string | null;
  readonly check: (text: string) => string | null;
  readonly replace: (text: string) => Result<null>;
};

const NONE: PriceTable = { date: 'never', models: new Map() };

/** What models cost: what the image knows, with what operators said. */
export function keptPrices(dir: string): KeptPrices {
  const path = join(dir, 'prices.yaml');
  let state = load(path);
  return {
    table: () => (state.ok ? state.value : NONE),
    problem: () => (state.ok ? null : state.error),
    check: (text) => {
      const read = parsePriceFile('the file', text);
      return read.ok ? null : read.problems.map(({ line, message }) => `line ${line}: ${message}`).join('; ');
    },
    replace: (text) => {
      try {
        writeDurably(path, text, 0o600);
        state = load(path);
        return state.ok ? accept(null) : state;
      } catch (fault) {
        return refuse(`the prices cannot be kept: ${String(fault)}`);
      }
    },
  };
}

function load(path: string): Result<PriceTable> {
  try {
    const read = parsePriceFile(path, readFileSync(path, 'utf8'));
    if (read.ok) return accept(withPrices(KNOWN_PRICES, read.models));
    return refuse(`${read.problems.map(({ file, line, message }) => `${file}:${line}: ${message}`).join('; ')}; no model has a price until it is replaced: holdfast usage prices FILE`);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return accept(KNOWN_PRICES);
    return refuse(`${path} cannot be read (${String(fault)}); no model has a price until it is replaced: holdfast usage prices FILE`);
  }
}
