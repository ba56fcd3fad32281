// SPDX-License-Identifier: Apache-2.0
import { wipeable } from './values.ts';

// 160 random bits in Crockford's Base32 (no I, L, O and U), in groups of four, to be written on paper.

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const SYMBOLS = 32;
export const RECOVERY_BYTES = 20;

/** In bytes: what stands in a string cannot be wiped. */
export function printRecoveryCode(random: Uint8Array): Buffer {
  const bits = [...random].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const symbols = Array.from({ length: SYMBOLS }, (_, at) => ALPHABET[Number.parseInt(bits.slice(at * 5, at * 5 + 5), 2)]);
  return Buffer.from(symbols.join('').replaceAll(/(.{4})(?=.)/g, '$1-'), 'latin1');
}

/** The same code as it may be typed: any case, with or without dashes and spaces, O for 0 and I or L for 1. Null: it is none. */
export function readRecoveryCode(typed: Uint8Array): Buffer | null {
  const symbols = wipeable(SYMBOLS);
  let count = 0;
  for (const byte of typed) {
    if (byte === 0x2d || byte === 0x20) continue;
    const letter = String.fromCharCode(byte).toUpperCase().replace('O', '0').replace(/[IL]/, '1');
    if (count === SYMBOLS || !ALPHABET.includes(letter)) {
      symbols.fill(0);
      return null;
    }
    symbols[count] = letter.charCodeAt(0);
    count += 1;
  }
  return count === SYMBOLS ? symbols : null;
}
