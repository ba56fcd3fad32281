// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { ENTRY_KINDS, type Actor, type EntryDraft, type EntryKind, type JsonObject, type JsonValue } from './entry.ts';

const KINDS: ReadonlySet<string> = new Set(ENTRY_KINDS);
const ACTOR_TYPES: ReadonlySet<string> = new Set(['agent', 'user', 'system']);
const DRAFT_FIELDS = ['kind', 'actor', 'trace', 'span', 'data'];
const MAX_ACTOR_ID = 128;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
// W3C Trace Context: an id of zeros only is no id.
const TRACE = /^(?!0{32})[0-9a-f]{32}$/;
const SPAN = /^(?!0{16})[0-9a-f]{16}$/;
const HASH = /^[0-9a-f]{64}$/;

export function isEntryKind(text: string): text is EntryKind {
  return KINDS.has(text);
}

export function isHash(text: unknown): text is string {
  return typeof text === 'string' && HASH.test(text);
}

/** RFC 3339 in UTC with milliseconds, and a day that exists. */
export function isTime(text: unknown): text is string {
  if (typeof text !== 'string' || !TIME.test(text)) return false;
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === text;
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Refuses a missing field and one that nobody asked for: what is not understood is not kept. */
export function checkFields(value: JsonObject, fields: readonly string[]): Result<null> {
  const missing = fields.find((field) => !Object.hasOwn(value, field));
  if (missing !== undefined) return refuse(`the field ${missing} is missing`);
  const unknown = Object.keys(value).find((field) => !fields.includes(field));
  return unknown === undefined ? accept(null) : refuse(`the field ${JSON.stringify(unknown.slice(0, 40))} is unknown`);
}

export function parseDraft(value: JsonValue | undefined): Result<EntryDraft> {
  if (!isObject(value)) return refuse('a draft must be an object');
  const fields = checkFields(value, DRAFT_FIELDS);
  return fields.ok ? parseDraftFields(value) : fields;
}

/** The fields that a draft and an entry share; other fields are the caller's to check. */
export function parseDraftFields(value: JsonObject): Result<EntryDraft> {
  const { kind, trace, span, data } = value;
  if (typeof kind !== 'string' || !isEntryKind(kind)) return refuse('the kind is not one this ledger knows');
  const actor = parseActor(value['actor']);
  if (!actor.ok) return actor;
  if (!isNullOr(trace, TRACE)) return refuse('trace must be null or 32 hex digits, not all zero');
  if (!isNullOr(span, SPAN)) return refuse('span must be null or 16 hex digits, not all zero');
  if (!isObject(data)) return refuse('data must be an object');
  return accept({ kind, actor: actor.value, trace, span, data });
}

function parseActor(value: JsonValue | undefined): Result<Actor> {
  if (!isObject(value)) return refuse('actor must be an object');
  const fields = checkFields(value, ['type', 'id']);
  if (!fields.ok) return refuse(`actor: ${fields.error}`);
  const { type, id } = value;
  if (typeof type !== 'string' || !ACTOR_TYPES.has(type)) return refuse('actor.type must be agent, user or system');
  if (typeof id !== 'string' || id === '' || id.length > MAX_ACTOR_ID) return refuse(`actor.id must hold 1 to ${MAX_ACTOR_ID} characters`);
  return accept({ type: type as Actor['type'], id });
}

function isNullOr(value: JsonValue | undefined, pattern: RegExp): value is string | null {
  return value === null || (typeof value === 'string' && pattern.test(value));
}
