// SPDX-License-Identifier: Apache-2.0
// What Vault and OpenBao answer, as their HTTP interface is published (KV version 2: "Read Secret Version"; token: "Lookup a Token (Self)",
// "Renew a Token (Self)"). Of an answer nothing is repeated: its words are another machine's, and may hold what was sent to it.
import { accept, refuse, type Result } from '../identity/result.ts';
import { readJsonBytes, stringBytes, type JsonNode } from './json-bytes.ts';
import { valueProblem } from './name.ts';
import { wipe } from './values.ts';

/** The caller wipes `body`. */
export type HttpAnswer = { readonly status: number; readonly body: Uint8Array };

/** `value` is the caller's to wipe. Times are lengths in milliseconds from now on. */
export type KvRead = { readonly value: Buffer; readonly version: number; readonly leaseMs: number | null; readonly deletedInMs: number | null };
export type TokenRead = { readonly ttlMs: number | null; readonly renewable: boolean };

type Members = ReadonlyMap<string, JsonNode>;
const MOST_SECONDS = 10 * 365 * 24 * 3_600;
const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

export function readKvAnswer({ status, body }: HttpAnswer, field: string, wallMs: number): Result<KvRead> {
  const parsed = status === 200 || status === 404 ? readJsonBytes(body) : null;
  if (status === 404) return refuse(whyGone(parsed?.ok === true ? parsed.value : null));
  if (parsed === null) return refuse(whyStatus(status));
  if (!parsed.ok) return refuse(`what it answered cannot be read: ${parsed.error}`);
  const answer = membersOf(parsed.value);
  if (isWrapped(answer)) return refuse(WRAPPED);
  const data = membersOf(answer?.get('data'));
  const metadata = membersOf(data?.get('metadata'));
  if (answer === null || data === null || metadata === null || !data.has('data')) return refuse('it did not answer as KV version 2 does; is the mount of version 1, or another engine?');
  const times = readTimes(answer, metadata, body, wallMs);
  if (!times.ok) return times;
  const fields = membersOf(data.get('data'));
  if (fields === null) return refuse(DELETED);
  const found = fields.get(field);
  if (found === undefined) return refuse('the secret is there, but it has no field of that name');
  if (found.kind !== 'string') return refuse('the field is there, but what it holds is no text');
  const value = stringBytes(body, found);
  const problem = valueProblem(value);
  if (problem === null) return accept({ ...times.value, value });
  wipe(value);
  return refuse(`what the field holds cannot be used: ${problem}`);
}

/** Of lookup-self: how long the token lasts. */
export function readLookup({ status, body }: HttpAnswer): Result<TokenRead> {
  const data = membersOf(readAnswer(status, body)?.get('data'));
  if (data === null) return refuse(status === 200 ? UNREADABLE : whyStatus(status));
  const ttl = secondsOf(data.get('ttl'));
  const renewable = data.get('renewable');
  const expires = data.get('expire_time');
  if (ttl === null || expires === undefined) return refuse(UNREADABLE);
  // A ttl of 0 without an end is a token that never ends; with one, it has just ended.
  const never = ttl === 0 && expires.kind === 'word' && expires.value === null;
  // Batch tokens have no such word.
  return accept({ ttlMs: never ? null : ttl * 1_000, renewable: renewable?.kind === 'word' && renewable.value === true });
}

/** Of renew-self: what was given, which may be less than was there before. */
export function readRenewal({ status, body }: HttpAnswer): Result<TokenRead> {
  const auth = membersOf(readAnswer(status, body)?.get('auth'));
  if (auth === null) return refuse(status === 200 ? UNREADABLE : whyStatus(status));
  const ttl = secondsOf(auth.get('lease_duration'));
  const renewable = auth.get('renewable');
  return ttl === null ? refuse(UNREADABLE) : accept({ ttlMs: ttl * 1_000, renewable: renewable?.kind === 'word' && renewable.value === true });
}

const UNREADABLE = 'it answered about its token in a way that cannot be read';
const DELETED = 'the newest version of this secret is deleted there';
const WRAPPED = 'it answered with a wrapped secret; let the policy of the token have no wrapping for this path';

/** Each by what the published interface says of it, and what helps. */
function whyStatus(status: number): string {
  switch (status) {
    case 400:
      return 'it took the request for a wrong one (400)';
    case 401:
    case 403:
      return 'it does not accept the token, or the policy of the token does not allow this (403)';
    case 412:
      return 'it has not caught up yet with what was written to it (412); try again';
    case 429:
      return 'it has too many requests (429); try again later';
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return `it sends on to another server (${status}), which the token is not taken to; it may be a standby: declare the source with the name of the active one`;
    case 472:
    case 473:
      return `it is a standby that does not answer for the active server (${status})`;
    case 503:
      return 'it is sealed, or down for maintenance (503)';
    default:
      return status >= 500 && status <= 599 ? `a fault at its side (${status})` : `it answered with ${status}, which it should not`;
  }
}

/** 404 is also how a version that was deleted is told, with its metadata. */
function whyGone(node: JsonNode | null): string {
  const metadata = membersOf(membersOf(membersOf(node)?.get('data'))?.get('metadata'));
  if (metadata === null) return 'there is nothing at this path (404); is the mount right, and of version 2?';
  const destroyed = metadata.get('destroyed');
  return destroyed?.kind === 'word' && destroyed.value === true ? 'the newest version of this secret is destroyed there' : DELETED;
}

function readAnswer(status: number, body: Uint8Array): Members | null {
  if (status !== 200) return null;
  const parsed = readJsonBytes(body);
  const answer = parsed.ok ? membersOf(parsed.value) : null;
  return isWrapped(answer) ? null : answer;
}

function isWrapped(answer: Members | null): boolean {
  const wrap = answer?.get('wrap_info');
  return wrap !== undefined && !(wrap.kind === 'word' && wrap.value === null);
}

function readTimes(answer: Members, metadata: Members, body: Uint8Array, wallMs: number): Result<Omit<KvRead, 'value'>> {
  // Samples of the published interface leave it out; KV version 2 itself says 0.
  const lease = answer.has('lease_duration') ? secondsOf(answer.get('lease_duration')) : 0;
  const version = metadata.get('version');
  const destroyed = metadata.get('destroyed');
  const deletion = metadata.get('deletion_time');
  const whole = lease !== null && version?.kind === 'number' && Number.isSafeInteger(version.value) && version.value >= 1 && destroyed?.kind === 'word' && destroyed.value !== null && deletion?.kind === 'string';
  if (!whole) return refuse('it did not say how long this holds (lease_duration, version, destroyed, deletion_time)');
  if (destroyed.value) return refuse('the newest version of this secret is destroyed there');
  const text = stringBytes(body, deletion).toString('latin1');
  if (text !== '' && (!RFC3339.test(text) || Number.isNaN(Date.parse(text)))) return refuse('it said a time of deletion that cannot be read');
  // May lie ahead: `delete_version_after`.
  const deletedInMs = text === '' ? null : Date.parse(text) - wallMs;
  if (deletedInMs !== null && deletedInMs <= 0) return refuse(DELETED);
  return accept({ version: version.value, leaseMs: lease === 0 ? null : lease * 1_000, deletedInMs });
}

function secondsOf(node: JsonNode | undefined): number | null {
  return node?.kind === 'number' && Number.isSafeInteger(node.value) && node.value >= 0 ? Math.min(node.value, MOST_SECONDS) : null;
}

function membersOf(node: JsonNode | undefined | null): Members | null {
  return node?.kind === 'object' ? node.members : null;
}
