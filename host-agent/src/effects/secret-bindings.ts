// SPDX-License-Identifier: Apache-2.0
import { basename, dirname } from 'node:path';
import type { Problem } from '../config/declared.ts';
import { readBindings } from '../config/read-bindings.ts';
import { OWN_LIMITS, parseStrictJson } from '../door/strict-json.ts';
import type { PublishedBindings } from '../secret/binding.ts';
import { errnoOf, readOwnedFile, withDirectory } from './rooted-files.ts';

const MOST_BYTES = 1024 * 1024;

export type BindingsRead = { readonly published: PublishedBindings | null; readonly problems: readonly Problem[] };

/** What holdfast-secretd says is bound to whom. Without it, or where it cannot be trusted, nobody has a secret. */
export function readSecretBindings(root: string, path: string, owners: readonly number[]): BindingsRead {
  const refused = (why: string): BindingsRead => ({ published: null, problems: [{ file: path, line: 1, message: `no agent has a secret, for what is bound to whom cannot be used: ${why}` }] });
  try {
    const read = withDirectory(root, dirname(path), (directory) => readOwnedFile(directory, basename(path), MOST_BYTES, owners));
    if (!read.ok) return read.missing ? { published: null, problems: [] } : refused(read.message);
    const json = parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(read.bytes), OWN_LIMITS);
    const published = json.ok ? readBindings(json.value) : json;
    return published.ok ? { published: published.value, problems: [] } : refused(published.error);
  } catch (fault) {
    return errnoOf(fault) === 'ENOENT' ? { published: null, problems: [] } : refused(`it cannot be read (${errnoOf(fault)})`);
  }
}
