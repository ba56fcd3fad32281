// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Derived } from './derive.ts';
import type { JsonValue } from './entry.ts';
import { isEntryKind, isObject, isTime } from './shape.ts';

/** What a reader of the ledger asks for (R55). Every condition given must hold. */
export type QueryFilter = {
  readonly kind?: string;
  /** `agent:NAME`, `user:NAME` or `system:NAME`. */
  readonly actor?: string;
  readonly agent?: string;
  readonly trace?: string;
  readonly outcome?: string;
  readonly tool?: string;
  /** RFC 3339, UTC, milliseconds; the first included, the second not. */
  readonly since?: string;
  readonly until?: string;
  readonly afterSeq?: number;
  readonly beforeSeq?: number;
  readonly limit?: number;
  readonly newestFirst?: boolean;
};

export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1000;
/** The most stored bytes in one page: escaped once more they must fit on one line of the socket. */
export const MAX_PAGE_BYTES = 384 * 1024;

/** Conditions that compare a derived field for equality. */
export const EQUALITIES = ['kind', 'actor', 'agent', 'trace', 'outcome', 'tool'] as const;
const TIMES = ['since', 'until'] as const;
const SEQUENCES = ['afterSeq', 'beforeSeq'] as const;
const FIELDS: ReadonlySet<string> = new Set([...EQUALITIES, ...TIMES, ...SEQUENCES, 'limit', 'newestFirst']);

export function parseFilter(value: JsonValue | undefined): Result<QueryFilter> {
  if (!isObject(value)) return refuse('a filter must be an object');
  for (const [field, given] of Object.entries(value)) {
    const error = wrong(field, given);
    if (error !== null) return refuse(`filter: ${error}`);
  }
  return accept({ ...value } as QueryFilter);
}

function wrong(field: string, given: JsonValue): string | null {
  if (!FIELDS.has(field)) return `${JSON.stringify(field.slice(0, 40))} is unknown; known are ${[...FIELDS].join(', ')}`;
  if (field === 'newestFirst') return typeof given === 'boolean' ? null : 'newestFirst must be true or false';
  if (field === 'limit') {
    const inRange = typeof given === 'number' && Number.isSafeInteger(given) && given >= 1 && given <= MAX_LIMIT;
    return inRange ? null : `limit must be an integer from 1 to ${MAX_LIMIT}`;
  }
  if (SEQUENCES.some((name) => name === field)) {
    return typeof given === 'number' && Number.isSafeInteger(given) && given >= 0 ? null : `${field} must be an integer from 0`;
  }
  if (TIMES.some((name) => name === field)) return isTime(given) ? null : `${field} must look like 2030-01-31T12:00:00.000Z`;
  if (typeof given !== 'string') return `${field} must be text`;
  if (field === 'kind' && !isEntryKind(given)) return 'kind is not one this ledger knows';
  if (field === 'actor' && !/^(?:agent|user|system):./.test(given)) return 'actor must look like agent:NAME, user:NAME or system:NAME';
  return null;
}

export function matches(filter: QueryFilter, entry: Derived): boolean {
  return (
    EQUALITIES.every((field) => filter[field] === undefined || filter[field] === entry[field]) &&
    (filter.since === undefined || entry.time >= filter.since) &&
    (filter.until === undefined || entry.time < filter.until) &&
    (filter.afterSeq === undefined || entry.seq > filter.afterSeq) &&
    (filter.beforeSeq === undefined || entry.seq < filter.beforeSeq)
  );
}
