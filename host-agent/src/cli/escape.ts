// SPDX-License-Identifier: Apache-2.0

// What an agent, a file or a foreign program wrote may reach an operator's terminal only as printable ASCII (attack B18): escape
// sequences, bidi controls and zero-width characters would let it act on the terminal or hide, and look-alike letters would let one
// path pass for another. A backslash is doubled, so what is shown can be read back in one way only.

const NOT_PRINTABLE_ASCII = /[^\x20-\x5b\x5d-\x7e]/gu;

export function escapeText(text: string): string {
  return text.replace(NOT_PRINTABLE_ASCII, (character) => {
    if (character === '\\') return '\\\\';
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** JSON with nothing but printable ASCII in it: the same value for a program, harmless on a terminal. */
export function escapedJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
