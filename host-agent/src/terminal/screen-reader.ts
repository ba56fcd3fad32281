// SPDX-License-Identifier: Apache-2.0
import { openEscapeParser } from './escape-parser.ts';
import { asWords } from './screen-filter.ts';

/** Bytes of a terminal as text, piece by piece: a character or a sequence may be cut between two. What is not UTF-8 becomes U+FFFD. */
export type ScreenReader = {
  /** `gap`: something before these bytes is missing. `raw`: with escape sequences and controls, as they came. */
  readonly read: (bytes: Uint8Array, gap: boolean, raw: boolean) => string;
};

export function openScreenReader(): ScreenReader {
  let utf8 = new TextDecoder();
  const parser = openEscapeParser();
  return {
    read: (bytes, gap, raw) => {
      if (gap) {
        utf8 = new TextDecoder();
        parser.end();
      }
      const text = utf8.decode(bytes, { stream: true });
      const pieces = parser.feed(text);
      return raw ? text : pieces.map(asWords).join('');
    },
  };
}
