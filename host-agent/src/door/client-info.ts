// SPDX-License-Identifier: Apache-2.0
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isObject } from '../ledger/shape.ts';

/** What a client says about itself. Shown and recorded, never believed: who an agent is comes from the kernel (A17). */
export type ClientInfo = { readonly name: string; readonly version: string; readonly protocol: string };

const ENVELOPE = 'io.modelcontextprotocol';
const MAX = 128;

function readNames(info: JsonValue | undefined): { readonly name: string; readonly version: string } | null {
  if (!isObject(info)) return null;
  const { name, version } = info;
  if (typeof name !== 'string' || typeof version !== 'string') return null;
  return { name: name.slice(0, MAX).toWellFormed(), version: version.slice(0, MAX).toWellFormed() };
}

/** True for a request of the 2026-07-28 revision, which carries its version in every `_meta`. */
export function hasEnvelope(params: JsonObject): boolean {
  const meta = params['_meta'];
  return isObject(meta) && `${ENVELOPE}/protocolVersion` in meta;
}

/** True for a request that has parts of the envelope and not the version, without which it belongs to no revision. */
export function hasPartOfEnvelope(params: JsonObject): boolean {
  const meta = params['_meta'];
  return isObject(meta) && (`${ENVELOPE}/clientInfo` in meta || `${ENVELOPE}/clientCapabilities` in meta);
}

/** From the envelope of one request; a client need not name itself there. */
export function clientOfEnvelope(params: JsonObject): ClientInfo {
  const meta = isObject(params['_meta']) ? params['_meta'] : {};
  const protocol = meta[`${ENVELOPE}/protocolVersion`];
  const names = readNames(meta[`${ENVELOPE}/clientInfo`]) ?? { name: '', version: '' };
  return { ...names, protocol: typeof protocol === 'string' ? protocol.slice(0, MAX).toWellFormed() : '' };
}

/** From the parameters of `initialize`; null when they are not what MCP 2025-11-25 requires. */
export function clientOfInitialize(params: JsonObject): ClientInfo | null {
  const names = readNames(params['clientInfo']);
  const protocol = params['protocolVersion'];
  if (names === null || typeof protocol !== 'string' || protocol.length > MAX || !isObject(params['capabilities'])) return null;
  return { ...names, protocol };
}
