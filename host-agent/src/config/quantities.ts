// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

// One spelling per quantity, as systemd writes it: 512M, 30s, 200%. Nothing is rounded or guessed.

const BYTES = /^([1-9][0-9]{0,8})(K|M|G)$/;
const DURATION = /^([1-9][0-9]{0,8})(ms|s|min|h)$/;
const PERCENT = /^([1-9][0-9]{0,4})%$/;
const COUNT = /^([1-9][0-9]{0,5})(k|M)?$/;
const MONEY = /^(0|[1-9][0-9]{0,6})\.([0-9]{2})$/;

const BYTE_UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };
const COUNT_UNITS: Readonly<Record<string, number>> = { k: 1000, M: 1_000_000 };
const TIME_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

export const bytesText = z.string().regex(BYTES, 'must be a size such as 512M (K, M or G)');
export const durationText = z.string().regex(DURATION, 'must be a duration such as 30s (ms, s, min or h)');
export const percentText = z.string().regex(PERCENT, 'must be a share of one CPU such as 200%');
export const countText = z.string().regex(COUNT, 'must be a number such as 500k (k or M), in quotes where it has no letter');
/** Of US dollars; always with cents, so that 5 is no typing error for 5.00. */
export const moneyText = z.string().regex(MONEY, 'must be dollars and cents in quotes, such as "5.00"');

export function bytesOf(text: string): number {
  return amount(text, BYTES, BYTE_UNITS);
}

export function millisOf(text: string): number {
  return amount(text, DURATION, TIME_UNITS);
}

export function percentOf(text: string): number {
  return amount(text, PERCENT, {});
}

export function countOf(text: string): number {
  return amount(text, COUNT, COUNT_UNITS);
}

/** Millionths of a dollar. */
export function millionthsOf(text: string): number {
  const match = MONEY.exec(text);
  if (match === null) throw new Error(`not a checked quantity: ${JSON.stringify(text)}`);
  return Number(match[1]) * 1_000_000 + Number(match[2]) * 10_000;
}

// Only text that the schemas above accepted comes here; anything else is a fault of ours.
function amount(text: string, form: RegExp, units: Readonly<Record<string, number>>): number {
  const match = form.exec(text);
  if (match === null) throw new Error(`not a checked quantity: ${JSON.stringify(text)}`);
  return Number(match[1]) * (match[2] === undefined ? 1 : (units[match[2]] ?? Number.NaN));
}
