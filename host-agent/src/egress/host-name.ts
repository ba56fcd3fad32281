// SPDX-License-Identifier: Apache-2.0

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * A name as it is judged: ASCII in small letters (an international name as it is in DNS, xn--…), without a final dot, at most 253
 * characters. IPv4 addresses in their usual form pass for names; whether one may be reached is R18's word. Other spellings of an
 * address (0x7f.1, [::1], 2130706433) do not: their last label has to begin with a letter, or there are four numbers.
 */
export function isHostName(text: string): boolean {
  if (text.length === 0 || text.length > 253) return false;
  const labels = text.split('.');
  if (!labels.every((label) => LABEL.test(label))) return false;
  return /^[a-z_]/.test(labels.at(-1)!) || isAddress(labels);
}

function isAddress(labels: readonly string[]): boolean {
  return labels.length === 4 && labels.every((label) => /^(0|[1-9][0-9]{0,2})$/.test(label) && Number(label) <= 255);
}
