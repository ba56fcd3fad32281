// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { canonicalText } from './encode.ts';
import type { Entry, JsonValue } from './entry.ts';
import { readCanonical } from './read-canonical.ts';
import { checkFields, isCount, isHash, isObject, isTime, parseDraftFields } from './shape.ts';
import { isSource } from './source.ts';
import { isUuid7 } from './uuid7.ts';

const ENTRY_FIELDS = ['v', 'seq', 'id', 'source', 'source_seq', 'time', 'prev', 'kind', 'actor', 'trace', 'span', 'data'];

/** A byte order mark is not stripped but kept, and then refused: it would be a second spelling. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Stored bytes to the entry they spell. Nothing is repaired: bytes that the encoder would not have written exactly so
 * (other order of keys, a duplicate key, 1.0 for 1, an escape more than needed) are refused (E08).
 */
export function decodeEntry(bytes: Uint8Array): Result<Entry> {
  let value: JsonValue;
  let text: string;
  try {
    text = utf8.decode(bytes);
    value = readCanonical(text);
    if (canonicalText(value) !== text) return refuse('the bytes are not the canonical spelling of what they say (RFC 8785)');
  } catch {
    return refuse('the bytes are not canonical JSON');
  }
  if (!isObject(value)) return refuse('an entry must be an object');
  const fields = checkFields(value, ENTRY_FIELDS);
  if (!fields.ok) return fields;
  const { v, seq, id, source, source_seq, time, prev } = value;
  if (v !== 1) return refuse('the version is not 1');
  if (!isCount(seq)) return refuse('seq must be a positive integer');
  if (typeof id !== 'string' || !isUuid7(id)) return refuse('id must be a UUIDv7');
  if (!isSource(source)) return refuse('source must be the name of a writer');
  if (!isCount(source_seq)) return refuse('source_seq must be a positive integer');
  if (!isTime(time)) return refuse('time must be RFC 3339 in UTC with milliseconds');
  if (!isHash(prev)) return refuse('prev must be 64 hex digits');
  const draft = parseDraftFields(value);
  if (!draft.ok) return draft;
  return accept({ ...draft.value, v, seq, id, source, source_seq, time, prev });
}
