// SPDX-License-Identifier: Apache-2.0
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';
import type { Result } from '../identity/result.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { parseRunAnswer } from './run-wire.ts';

// A call with a terminal has more to say than how it ended. From holdfastd: `run` as ever, then keys, and that it hangs up. From the
// runner, before the answer of every run: what the program showed, and how many of the keys the kernel has taken.

/** Of keys or of what is shown, in one line. */
export const PART_MAX = 64 * 1024;

export type ShellSaid = { readonly shown: Uint8Array } | { readonly taken: number } | { readonly ended: Result<RunResult> };

export function keysLine(id: number, bytes: Uint8Array): JsonObject {
  return { id, op: 'keys', data: Buffer.from(bytes).toString('base64') };
}

export function shownLine(id: number, bytes: Uint8Array): JsonObject {
  return { id, shown: Buffer.from(bytes).toString('base64') };
}

/** Null for what is no keys. */
export function parseKeys(fields: JsonObject): Uint8Array | null {
  return partOf(fields['data']);
}

/** Null for what a runner never says of the call `id`: then nothing it says can be believed (B12). */
export function parseShellSaid(value: JsonValue, id: number): ShellSaid | null {
  if (!isObject(value) || value['id'] !== id) return null;
  const { shown, taken } = value;
  if (shown !== undefined) {
    const bytes = partOf(shown);
    return bytes === null ? null : { shown: bytes };
  }
  if (taken !== undefined) return typeof taken === 'number' && Number.isSafeInteger(taken) && taken >= 0 ? { taken } : null;
  const answer = parseRunAnswer(value);
  if (answer === null) return null;
  const { result } = answer;
  if (!result.ok) return { ended: result };
  return 'container' in result.value ? null : { ended: { ok: true, value: result.value } };
}

function partOf(value: JsonValue | undefined): Uint8Array | null {
  if (typeof value !== 'string' || value.length > 2 * PART_MAX) return null;
  const bytes = Buffer.from(value, 'base64');
  return bytes.length > 0 && bytes.length <= PART_MAX && bytes.toString('base64') === value ? new Uint8Array(bytes) : null;
}
