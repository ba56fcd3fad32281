// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';

const MAX_DEPTH = 32;
const MAX_STRING = 1024;
const MAX_WHOLE = 16 * 1024;
const HEAD = 64;

/**
 * A deep, frozen copy: what is judged, recorded and run cannot be changed from outside afterwards (A24), has no prototype
 * that a key could reach (A22) and holds JSON only.
 */
export function takeArguments(value: unknown): Result<JsonObject> {
  const copy = take(value ?? {}, 'arguments', 0);
  if (!copy.ok) return copy;
  if (typeof copy.value !== 'object' || copy.value === null || Array.isArray(copy.value)) return refuse('arguments must be an object');
  return accept(copy.value as JsonObject);
}

export function digestOf(value: JsonValue): string {
  return sha256Hex(canonicalJson(value));
}

/** What the ledger keeps of arguments: all of it when small; else digest, size and how it began. The digest covers the whole. */
export function boundedArguments(value: JsonObject): JsonObject {
  const bounded = bound(value) as JsonObject;
  const bytes = canonicalJson(bounded);
  return bytes.length <= MAX_WHOLE ? bounded : cut(new TextDecoder().decode(bytes), bytes);
}

function bound(value: JsonValue): JsonValue {
  if (typeof value === 'string') {
    if (value.length * 3 <= MAX_STRING) return value;
    const bytes = new TextEncoder().encode(value);
    return bytes.length <= MAX_STRING ? value : cut(value, bytes);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(bound);
  const keys = Object.entries(value).map(([key, inner]): [string, JsonValue] => [key, bound(inner)]);
  return plain(keys);
}

function cut(text: string, bytes: Uint8Array): JsonObject {
  const head = text.slice(0, HEAD);
  return { digest: sha256Hex(bytes), size: bytes.length, head: head.isWellFormed() ? head : head.slice(0, -1) };
}

function take(value: unknown, at: string, depth: number): Result<JsonValue> {
  if (depth > MAX_DEPTH) return refuse(`arguments nest deeper than ${MAX_DEPTH}`);
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? accept(value) : refuse(`${at} holds a lone surrogate, which is no character`);
    case 'number':
      // RFC 8785 with integers only, so that every argument has one spelling in the ledger.
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return accept(value);
      return refuse(`${at} must be a whole number of at most 2^53-1`);
    case 'boolean':
      return accept(value);
    case 'object':
      if (value === null) return accept(null);
      return Array.isArray(value) ? takeArray(value, at, depth) : takeObject(value, at, depth);
    default:
      return refuse(`${at} is not JSON`);
  }
}

function takeArray(value: readonly unknown[], at: string, depth: number): Result<JsonValue> {
  const items: JsonValue[] = [];
  for (let n = 0; n < value.length; n += 1) {
    const item = take(value[n], `${at}[${n}]`, depth + 1);
    if (!item.ok) return item;
    items.push(item.value);
  }
  return accept(Object.freeze(items));
}

function takeObject(value: object, at: string, depth: number): Result<JsonValue> {
  const entries: [string, JsonValue][] = [];
  for (const [key, inner] of Object.entries(value)) {
    if (!key.isWellFormed()) return refuse(`a name in ${at} holds a lone surrogate, which is no character`);
    if (key === '__proto__') return refuse(`${at} has a member named __proto__`);
    // An optional argument that the schema filled with nothing.
    if (inner === undefined) continue;
    const item = take(inner, depth === 0 ? key.slice(0, 64) : `${at}.${key.slice(0, 64)}`, depth + 1);
    if (!item.ok) return item;
    entries.push([key, item.value]);
  }
  return accept(Object.freeze(plain(entries)));
}

function plain(entries: readonly (readonly [string, JsonValue])[]): JsonObject {
  return Object.assign(Object.create(null) as object, Object.fromEntries(entries)) as JsonObject;
}
