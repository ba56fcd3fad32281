// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { parseStrictJson } from '../door/strict-json.ts';
import { refuse, type Result } from '../identity/result.ts';
import { parsePublishedSources, type PublishedSources, type SourcePlace } from '../secret/published-sources.ts';
import { writeDurably } from './durable-file.ts';
import type { Paths } from './paths.ts';
import { errnoOf, readOwnedFile, withDirectory } from './rooted-files.ts';

const MOST_BYTES = 64 * 1024;

/** Whole each, for holdfast-egress and for the firewall, which is filled by what cannot read JSON: `ADDRESS PORT`, a line each. */
export function publishSources(paths: Paths, sources: readonly SourcePlace[]): void {
  mkdirSync(dirname(paths.secretSources), { recursive: true, mode: 0o755 });
  const addresses = sources.flatMap(({ address, port }) => (address === null ? [] : [`${address} ${port}\n`]));
  writeDurably(paths.secretSourceAddresses, addresses.join(''), 0o644);
  writeDurably(paths.secretSources, `${JSON.stringify({ v: 1, sources } satisfies PublishedSources)}\n`, 0o644);
}

/** Read each time, for it is asked seldom: what is not declared any more is dialled no more. */
export function readPublishedSources(root: string, path: string, owners: readonly number[]): Result<PublishedSources> {
  try {
    const read = withDirectory(root, dirname(path), (directory) => readOwnedFile(directory, basename(path), MOST_BYTES, owners));
    if (!read.ok) return refuse(read.missing ? 'no source is declared, or secrets are closed' : read.message);
    const json = parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(read.bytes));
    return json.ok ? parsePublishedSources(json.value) : json;
  } catch (fault) {
    return refuse(`what is declared cannot be read (${errnoOf(fault)})`);
  }
}
