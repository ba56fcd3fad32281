// SPDX-License-Identifier: Apache-2.0
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';

/** One value in a file of this boot. No file, or another boot's, is `empty`; one that cannot be read is a refusal. */
export function keptValue(path: string, boot: string, empty: JsonValue): { readonly load: () => Result<JsonValue>; readonly store: (value: JsonValue) => Result<null> } {
  return {
    load: () => {
      try {
        const read = parseStrictJson(readFileSync(path, 'utf8'), OWN_LIMITS);
        if (!read.ok || !isObject(read.value) || typeof read.value['boot'] !== 'string') return refuse(`cannot use ${path}: it does not have its form`);
        return accept(read.value['boot'] === boot ? (read.value['value'] ?? empty) : empty);
      } catch (fault) {
        return (fault as NodeJS.ErrnoException).code === 'ENOENT' ? accept(empty) : refuse(`cannot read ${path}: ${String(fault)}`);
      }
    },
    // Whole or not at all, also when the writer is killed. /run is memory, so there is no disk to wait for.
    store: (value) => {
      try {
        writeFileSync(`${path}.new`, `${JSON.stringify({ boot, value })}\n`, { mode: 0o600 });
        renameSync(`${path}.new`, path);
        return accept(null);
      } catch (fault) {
        return refuse(`cannot keep ${path}: ${String(fault)}`);
      }
    },
  };
}
