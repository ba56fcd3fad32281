// SPDX-License-Identifier: Apache-2.0

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const DOTTED = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

/** Four decimal numbers without leading zeros, and no other of the many spellings that inet_aton(3) takes. */
export function ipv4Of(text: string): Uint8Array | null {
  return DOTTED.test(text) ? Uint8Array.from(text.split('.'), Number) : null;
}
