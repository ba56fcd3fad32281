// SPDX-License-Identifier: Apache-2.0
import type { CallId } from '../identity/ids.ts';

// What one agent has spent and what it has open, as data (R23, R24). First reserved, then settled: what a request may come to is held
// back before it is sent, so that requests at the same time can never spend together what each might alone.

/** `cost`: millionths of a US dollar. */
export const KINDS = ['cost', 'tokens', 'requests', 'bytes'] as const;
export type Kind = (typeof KINDS)[number];
export type Amounts = Readonly<Record<Kind, number>>;
/** Null: no limit. */
export type Limits = Readonly<Record<Kind, number | null>>;

const DAY_MS = 24 * 3_600_000;

/** Sliding windows. What is spent within one grain is kept as one mark, and counts until its whole grain is out of the window. */
export const WINDOWS: Readonly<Record<Kind, { readonly ms: number; readonly grainMs: number }>> = {
  cost: { ms: DAY_MS, grainMs: 600_000 },
  tokens: { ms: 3_600_000, grainMs: 60_000 },
  requests: { ms: DAY_MS, grainMs: 600_000 },
  bytes: { ms: DAY_MS, grainMs: 600_000 },
};

/** The end of a grain on the account's clock, and what was spent in it. */
export type Mark = readonly [end: number, amount: number];
export type Reservation = { readonly call: CallId; readonly amounts: Amounts };
export type Account = { readonly spent: Readonly<Record<Kind, readonly Mark[]>>; readonly open: readonly Reservation[] };

export const NOTHING: Amounts = { cost: 0, tokens: 0, requests: 0, bytes: 0 };
export const EMPTY_ACCOUNT: Account = { spent: { cost: [], tokens: [], requests: [], bytes: [] }, open: [] };

/** Above all that can be spent; sums stay exact below it. */
export const MOST = 2 ** 50;

/** Which limit a request would pass. `retryAfterMs` null: it alone is more than the limit, and waiting does not help. */
export type Over = {
  readonly kind: Kind;
  readonly limit: number;
  readonly spent: number;
  readonly open: number;
  readonly asked: number;
  readonly retryAfterMs: number | null;
};

export type Reserved = { readonly ok: true; readonly account: Account } | { readonly ok: false; readonly over: Over };

/** Of what is missing only because others have it reserved: they end soon, and most need less than they hold. */
const OPEN_RETRY_MS = 2_000;

export function reserve(account: Account, limits: Limits, call: CallId, amounts: Amounts, now: number): Reserved {
  if (account.open.some((known) => known.call === call)) throw new Error(`the reservation ${call} is there already`);
  for (const kind of KINDS) {
    const limit = limits[kind];
    const asked = checked(amounts[kind]);
    if (limit === null) continue;
    const spent = spentOf(account, kind, now);
    const open = openOf(account, kind);
    if (spent + open + asked <= limit) continue;
    return { ok: false, over: { kind, limit, spent, open, asked, retryAfterMs: retryAfter(account, kind, limit - asked, now) } };
  }
  return { ok: true, account: { ...pruned(account, now), open: [...account.open, { call, amounts }] } };
}

/** What it came to. More than was reserved is charged all the same; the limits are for what is asked after it. */
export function settle(account: Account, call: CallId, actual: Amounts, now: number): Account {
  if (!account.open.some((known) => known.call === call)) return account;
  const open = account.open.filter((known) => known.call !== call);
  return charge({ ...pruned(account, now), open }, actual, now);
}

/** Nobody can say any more what these came to: each is charged in full. */
export function settleAll(account: Account, now: number): Account {
  return account.open.reduce((left, { call, amounts }) => settle(left, call, amounts, now), account);
}

export function spentOf({ spent }: Account, kind: Kind, now: number): number {
  return sum(spent[kind].filter(([end]) => now < end + WINDOWS[kind].ms).map(([, amount]) => amount));
}

export function openOf({ open }: Account, kind: Kind): number {
  return sum(open.map(({ amounts }) => amounts[kind]));
}

/** What may still be asked for; no less than 0. */
export function leftOf(account: Account, limits: Limits, kind: Kind, now: number): number {
  const limit = limits[kind] ?? MOST;
  return Math.max(0, limit - spentOf(account, kind, now) - openOf(account, kind));
}

/** Until no more than `room` of this kind is spent, where nothing more is. */
export function retryAfter(account: Account, kind: Kind, room: number, now: number): number | null {
  if (room < 0) return null;
  let left = spentOf(account, kind, now);
  if (left <= room) return OPEN_RETRY_MS;
  for (const [end, amount] of account.spent[kind]) {
    const gone = end + WINDOWS[kind].ms;
    if (gone <= now) continue;
    left -= amount;
    if (left <= room) return gone - now;
  }
  return null;
}

function charge(account: Account, actual: Amounts, now: number): Account {
  const spent = { ...account.spent };
  for (const kind of KINDS) {
    const amount = checked(actual[kind]);
    if (amount === 0) continue;
    const { grainMs } = WINDOWS[kind];
    const marks = spent[kind];
    const last = marks.at(-1);
    // Never before the last one: a clock that goes back must not let anything out of its window earlier.
    const end = Math.max(Math.floor(now / grainMs) * grainMs + grainMs, last?.[0] ?? 0);
    spent[kind] = last !== undefined && last[0] === end ? [...marks.slice(0, -1), [end, capped(last[1] + amount)]] : [...marks, [end, amount]];
  }
  return { ...account, spent };
}

function pruned(account: Account, now: number): Account {
  const old = KINDS.some((kind) => account.spent[kind][0] !== undefined && account.spent[kind][0][0] + WINDOWS[kind].ms <= now);
  if (!old) return account;
  const kept = (kind: Kind): readonly Mark[] => account.spent[kind].filter(([end]) => now < end + WINDOWS[kind].ms);
  return { ...account, spent: { cost: kept('cost'), tokens: kept('tokens'), requests: kept('requests'), bytes: kept('bytes') } };
}

function checked(amount: number): number {
  if (!Number.isSafeInteger(amount) || amount < 0) throw new Error(`${amount} is no amount`);
  return capped(amount);
}

function capped(amount: number): number {
  return Math.min(amount, MOST);
}

function sum(amounts: readonly number[]): number {
  return capped(amounts.reduce((all, amount) => capped(all + amount), 0));
}
