// SPDX-License-Identifier: Apache-2.0
import type { Problem } from './declared.ts';

export const MAX_FILE_BYTES = 256 * 1024;

export type Decoded = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Bytes of a configuration file to text: bounded, UTF-8 without a byte order mark. Nothing is replaced or repaired. */
export function decodeText(file: string, bytes: Uint8Array): Decoded {
  if (bytes.length > MAX_FILE_BYTES) {
    return { ok: false, problems: [{ file, line: 1, message: `the file is larger than ${MAX_FILE_BYTES / 1024} KiB; make it smaller` }] };
  }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return { ok: true, text: decoder.decode(bytes) };
  } catch {
    return { ok: false, problems: [{ file, line: firstBadLine(bytes), message: 'not UTF-8; save the file as UTF-8' }] };
  }
}

// A newline byte is never part of a longer UTF-8 sequence, so the lines can be tried one by one.
function firstBadLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let line = 1;
  let start = 0;
  while (start <= bytes.length) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    line += 1;
    start = end + 1;
  }
  return 1;
}
