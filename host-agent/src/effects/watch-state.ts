// SPDX-License-Identifier: Apache-2.0
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import { isObject } from '../ledger/shape.ts';

/** `serial`: all events of the kernel up to this one are in the ledger. `lost`: the kernel's own count at that time. */
export type WatchState = { readonly boot: string; readonly at: number; readonly serial: number | null; readonly lost: number };

/** Null when there is none of this boot that can be used. */
export function readWatchState(path: string, boot: string): WatchState | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return null;
  }
  const read = parseStrictJson(text, OWN_LIMITS);
  if (!read.ok || !isObject(read.value)) return null;
  const { boot: when, at, serial, lost } = read.value;
  const whole = when === boot && Number.isSafeInteger(at) && (serial === null || Number.isSafeInteger(serial)) && Number.isSafeInteger(lost);
  return whole ? { boot, at: at as number, serial: serial as number | null, lost: lost as number } : null;
}

/** Below /run: it says nothing about another boot. */
export function writeWatchState(path: string, state: WatchState): void {
  writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o644 });
  renameSync(`${path}.new`, path);
}
