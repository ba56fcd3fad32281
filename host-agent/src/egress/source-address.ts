// SPDX-License-Identifier: Apache-2.0
import { whyNotPublic } from './address.ts';
import { ipv4Of } from './ipv4.ts';

/**
 * Where a source of secrets may be when an operator names its address (R18's one exception, and none for an agent): a public one, or one
 * of RFC 1918. Never loopback, link-local or any other special kind: behind those stand this machine and its cloud's metadata. 100.64/10
 * is not among them either: a cloud's metadata lies there too (100.100.100.200).
 */
export function whyNoSourceAddress(text: string): string | null {
  const bytes = ipv4Of(text);
  if (bytes === null) return 'it is not in the form of four decimal numbers';
  const [a, b] = bytes as unknown as readonly [number, number];
  const within = a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168);
  return within ? null : whyNotPublic(bytes);
}
