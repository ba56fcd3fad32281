// SPDX-License-Identifier: Apache-2.0
import type { ModelAsk, NetEnd } from '../egress/egress-wire.ts';
import type { Amounts } from './account.ts';
import { ceilingOf, costOf, priceOf, tokensOf, type PriceTable } from './price.ts';

/** What a request may come to, and whether anybody knows what its model costs. */
export type Foreseen = { readonly cost: number; readonly tokens: number; readonly priced: boolean };

export function foresee(model: ModelAsk | null, prices: PriceTable): Foreseen {
  if (model === null) return { cost: 0, tokens: 0, priced: true };
  const price = priceOf(prices, model.model);
  return { ...ceilingOf(price, model), priced: price !== null };
}

/** `nothing`: it never reached a model, or the vendor turned it down. `ceiling`: what it might have come to, for nobody said what it did. */
export type Charge = { readonly amounts: Amounts; readonly basis: 'said' | 'ceiling' | 'nothing' | 'no model'; readonly priced: boolean };

type End = Pick<NetEnd, 'status' | 'usage' | 'bytesUp' | 'bytesDown'>;

export function chargeFor(model: ModelAsk | null, reserved: Amounts, end: End, prices: PriceTable): Charge {
  const bytes = end.bytesUp + end.bytesDown;
  if (model === null) return { amounts: { cost: 0, tokens: 0, requests: 1, bytes }, basis: 'no model', priced: true };
  const { usage } = end;
  // The vendor charges for the model that it says answered: of `claude-3-5-haiku-latest`, the one that was latest.
  const price = (usage === null ? null : priceOf(prices, usage.model)) ?? priceOf(prices, model.model);
  const priced = price !== null;
  if (usage?.said === true) {
    return { amounts: { cost: price === null ? 0 : costOf(price, usage), tokens: tokensOf(usage), requests: 1, bytes }, basis: 'said', priced };
  }
  if (usage === null && wasTurnedDown(end)) return { amounts: { cost: 0, tokens: 0, requests: 1, bytes }, basis: 'nothing', priced };
  return { amounts: { cost: reserved.cost, tokens: reserved.tokens, requests: 1, bytes }, basis: 'ceiling', priced };
}

/**
 * Vendors take no money for a request that they refuse (4xx; Anthropic's 529, overloaded). After a time-out (408, 499) or another 5xx
 * the model may have answered all the same, and nobody here heard it.
 */
function wasTurnedDown({ status, bytesUp }: End): boolean {
  if (status === null) return bytesUp === 0;
  return status === 529 || (status >= 400 && status < 500 && status !== 408 && status !== 499);
}
