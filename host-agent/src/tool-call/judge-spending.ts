// SPDX-License-Identifier: Apache-2.0
import type { NetAsk, NetRefusal } from '../egress/egress-wire.ts';
import { ruleFor } from '../egress/match-rule.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId } from '../identity/ids.ts';
import { leftOf, MOST, reserve, type Account, type Amounts, type Limits } from '../usage/account.ts';
import { overWords, ruleOf } from '../usage/over-limit.ts';
import type { PriceTable } from '../usage/price.ts';
import { foresee } from '../usage/spending.ts';

export type Spending =
  | { readonly ok: true; readonly account: Account; readonly amounts: Amounts; readonly limits: { readonly bytesUp: number; readonly bytesDown: number } }
  | { readonly ok: false; readonly refusal: NetRefusal };

/** Less than this would carry no request that is worth the name; of a small quota, an eighth. */
const LEAST_BYTES = 64 * 1024;

export function limitsOf({ net, budget }: Pick<AgentAuthority, 'net' | 'budget'>): Limits {
  return { cost: budget.costPerDay, tokens: budget.tokensPerHour, requests: net?.quota.requestsPerDay ?? 0, bytes: net?.quota.bytesPerDay ?? 0 };
}

/** What HTTP says beside a body. */
const HEADERS_BYTES = 64 * 1024;

/**
 * Is there room for it, whatever it comes to (R23, R24)? Of the bytes that are left in the day, one way out is held an eighth, so that
 * dozens at a time all get some: a quarter of that for what goes up. Of a request no more is held than it can have.
 */
export function judgeSpending(
  ask: Pick<NetAsk, 'what' | 'host' | 'model'>,
  agent: Pick<AgentAuthority, 'net' | 'budget'>,
  call: CallId,
  account: Account,
  prices: PriceTable,
  now: number,
): Spending {
  const limits = limitsOf(agent);
  const { cost, tokens, priced } = foresee(ask.model, prices);
  if (!priced && limits.cost !== null) {
    const message = `Nobody knows what the model ${ask.model?.model} costs, and you have a limit of cost. Use a model with a known price, or tell an operator: holdfast usage prices adds one.`;
    return { ok: false, refusal: { rule: 'model.price', message, ask: null, retryAfterMs: null } };
  }
  const least = Math.max(1, Math.min(LEAST_BYTES, Math.floor((limits.bytes ?? MOST) / 8)));
  const part = Math.max(least, Math.ceil(leftOf(account, limits, 'bytes', now) / 8));
  const up = Math.floor(part / 4);
  const most = ask.what === 'tunnel' || agent.net === null ? null : (ruleFor(agent.net, ask.host)?.responseMax ?? null);
  const bytesUp = ask.model === null ? up : Math.min(up, ask.model.inputBytes + HEADERS_BYTES);
  const bytesDown = most === null ? part - up : Math.min(part - up, most + HEADERS_BYTES);
  const amounts: Amounts = { cost, tokens, requests: 1, bytes: bytesUp + bytesDown };
  const reserved = reserve(account, limits, call, amounts, now);
  if (!reserved.ok) {
    const { over } = reserved;
    return { ok: false, refusal: { rule: ruleOf(over), message: overWords(over), ask: null, retryAfterMs: over.retryAfterMs } };
  }
  return { ok: true, account: reserved.account, amounts, limits: { bytesUp, bytesDown } };
}
