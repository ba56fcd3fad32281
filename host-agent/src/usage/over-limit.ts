// SPDX-License-Identifier: Apache-2.0
import type { Kind, Over } from './account.ts';

const RULES: Readonly<Record<Kind, string>> = { cost: 'budget.cost', tokens: 'budget.tokens', requests: 'quota.requests', bytes: 'quota.bytes' };
const OF: Readonly<Record<Kind, string>> = { cost: 'in 24 hours', tokens: 'in an hour', requests: 'in 24 hours', bytes: 'in 24 hours' };

export function ruleOf(over: Over): string {
  return RULES[over.kind];
}

/** For the agent that was refused, and for the person who reads its record. */
export function overWords({ kind, limit, spent, open, asked, retryAfterMs }: Over): string {
  const words = (amount: number): string => amountWords(kind, amount);
  const may = kind === 'cost' ? `This request may cost up to ${words(asked)}` : `This request may take up to ${words(asked)}`;
  if (retryAfterMs === null) return `${may}, more than the ${words(limit)} that you have ${OF[kind]} altogether. Make it smaller, or ask an operator to raise the limit.`;
  const held = open === 0 ? '' : ` and ${words(open)} held for requests that are under way`;
  return `${may}, and of the ${words(limit)} that you have ${OF[kind]}, ${words(spent)} are spent${held}. Enough is free again in ${timeWords(retryAfterMs)}.`;
}

export function amountWords(kind: Kind, amount: number): string {
  if (kind === 'cost') return dollars(amount);
  return `${amount} ${amount === 1 ? kind.slice(0, -1) : kind}`;
}

/** Millionths of a dollar; cents, or as many digits as there are below one. */
export function dollars(millionths: number): string {
  const whole = Math.floor(millionths / 1_000_000);
  const rest = String(millionths % 1_000_000).padStart(6, '0');
  return `$${whole}.${rest.slice(0, 2)}${rest.slice(2).replace(/0+$/, '')}`;
}

function timeWords(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
