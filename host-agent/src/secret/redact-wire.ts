// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';

/** Whole texts, or the next part of one that comes piece by piece: `of` is its number on this connection. */
export type RedactAsk =
  | { readonly id: number; readonly texts: readonly string[] }
  | { readonly id: number; readonly part: string; readonly of: number; readonly last: boolean };
/** As many texts as were asked for; of a part, what is decided by now. `found`: names of secrets that were removed. */
export type RedactAnswer = { readonly texts: readonly string[]; readonly found: readonly string[] };

/** UTF-16 units of one part, and of all texts of one question together. */
export const MOST_UNITS = 256 * 1024;
export const MOST_TEXTS = 1_000;
/** Texts that are being redacted part by part on one connection. */
export const MOST_STREAMS = 256;
/** A unit is at most six bytes of JSON (`\u0001`); the rest is for ids and commas. */
export const MAX_REDACT_LINE = 2 * 1024 * 1024;

export function parseRedactAsk(value: JsonValue): Result<RedactAsk> {
  if (!isObject(value)) return refuse('a question must be an object');
  const { id, texts, part, of, last } = value;
  if (!isCount(id)) return refuse('id must be a positive integer');
  if (texts !== undefined) {
    const fields = checkFields(value, ['id', 'texts']);
    if (!fields.ok) return fields;
    const all = areTexts(texts) ? texts : null;
    if (all === null || all.length > MOST_TEXTS) return refuse(`texts must be a list of at most ${MOST_TEXTS} texts`);
    const units = all.reduce((sum, { length }) => sum + length, 0);
    return units <= MOST_UNITS ? accept({ id, texts: all }) : refuse(`texts hold more than ${MOST_UNITS} characters`);
  }
  const fields = checkFields(value, ['id', 'part', 'of', 'last']);
  if (!fields.ok) return fields;
  if (typeof part !== 'string' || part.length > MOST_UNITS) return refuse(`part must be a text of at most ${MOST_UNITS} characters`);
  if (!isCount(of) || typeof last !== 'boolean') return refuse('of must be a positive integer, and last true or false');
  return accept({ id, part, of, last });
}

/** Refuses what is no answer to a question about so many texts. */
export function parseRedactAnswer(value: JsonValue, count: number): Result<RedactAnswer> {
  if (!isObject(value)) return refuse('the answer of holdfast-secretd is no object');
  if (value['ok'] !== true) return refuse(typeof value['error'] === 'string' ? value['error'].slice(0, 512) : 'holdfast-secretd refused without a reason');
  const { texts, found } = value;
  if (!areTexts(texts) || texts.length !== count || !areTexts(found)) return refuse('the answer of holdfast-secretd does not have its form');
  return accept({ texts, found });
}

function areTexts(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}
