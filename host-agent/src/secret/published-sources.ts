// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';
import { parseHostPort } from './host.ts';
import { isIpv4Text, MOST_SOURCES, parseSourceName, type SourceName } from './source.ts';

/**
 * What holdfast-secretd publishes of its sources while its store is open (`paths.secretSources`): holdfast-egress opens a way to these
 * places for it, and to no other.
 */
export type SourcePlace = { readonly name: SourceName; readonly host: string; readonly port: number; readonly address: string | null };
export type PublishedSources = { readonly v: 1; readonly sources: readonly SourcePlace[] };

export function parsePublishedSources(value: JsonValue): Result<PublishedSources> {
  if (!isObject(value)) return refuse('it must be an object');
  const fields = checkFields(value, ['v', 'sources']);
  if (!fields.ok) return fields;
  const { v, sources } = value;
  if (v !== 1 || !Array.isArray(sources) || sources.length > MOST_SOURCES) return refuse('it must be of version 1 and list its sources');
  const places: SourcePlace[] = [];
  for (const item of sources as readonly JsonValue[]) {
    const place = parsePlace(item);
    if (!place.ok) return place;
    if (places.some(({ name }) => name === place.value.name)) return refuse('a source stands there twice');
    places.push(place.value);
  }
  return accept({ v: 1, sources: places });
}

function parsePlace(value: JsonValue): Result<SourcePlace> {
  if (!isObject(value)) return refuse('a source must be an object');
  const fields = checkFields(value, ['name', 'host', 'port', 'address']);
  if (!fields.ok) return fields;
  const { port, address } = value;
  const name = parseSourceName(String(value['name']));
  if (!name.ok) return name;
  if (!isCount(port)) return refuse('a port must be a number');
  const at = parseHostPort(`${String(value['host'])}:${port}`);
  if (!at.ok) return at;
  if (address !== null && (typeof address !== 'string' || !isIpv4Text(address))) return refuse('an address must be null or four decimal numbers');
  return accept({ name: name.value, ...at.value, address });
}
