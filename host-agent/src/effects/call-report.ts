// SPDX-License-Identifier: Apache-2.0
import { parseStrictJson } from '../door/strict-json.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';

/** What call-launch and call-init told on descriptor 3 (native/call-report.h). */
export type CallReport = {
  readonly skipped: readonly { readonly path: string; readonly errno: string }[];
  /** The label of PID 1 of the call; null when it never came so far. */
  readonly label: string | null;
  /** Everything stood, and the command was to be executed. */
  readonly started: boolean;
  readonly end:
    | { readonly exit: number }
    | { readonly signal: string }
    | { readonly deadline: true }
    | { readonly error: string; readonly errno: string }
    /** The command was started and nobody told its end. */
    | 'unknown'
    /** Nothing was started, and nobody said why. */
    | 'none';
};

export function readCallReport(text: string): CallReport {
  const skipped: { path: string; errno: string }[] = [];
  let label: string | null = null;
  let started = false;
  let end: CallReport['end'] = 'none';
  for (const line of text.split('\n')) {
    const o = objectOf(line);
    if (o === null) continue;
    if (typeof o['label'] === 'string') label = o['label'];
    if (typeof o['skipped'] === 'string') skipped.push({ path: o['skipped'], errno: textOf(o['errno']) });
    else if (typeof o['exit'] === 'number') end = { exit: o['exit'] };
    else if (typeof o['signal'] === 'string') end = { signal: o['signal'] };
    else if (o['deadline'] === true) end = { deadline: true };
    else if (typeof o['error'] === 'string') end = { error: o['error'], errno: textOf(o['errno']) };
    else if (label !== null) [started, end] = [true, 'unknown'];
  }
  return { skipped, label, started, end };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function objectOf(line: string): JsonObject | null {
  const read = parseStrictJson(line);
  return read.ok && isObject(read.value) ? read.value : null;
}
