// SPDX-License-Identifier: Apache-2.0
import { fstatSync } from 'node:fs';
import { isAgentFileName, type LayerFile } from '../config/layers.ts';
import { MAX_FILE_BYTES } from '../config/text-file.ts';
import { distrustOwner, errnoOf, namesIn, readOwnedFile, withDirectory } from './rooted-files.ts';
import type { Problem } from '../config/declared.ts';

const MOST_ENTRIES = 1024;

export type LayerRead = { readonly files: readonly LayerFile[]; readonly problems: readonly Problem[] };

/** One folder of configuration files. Each file that cannot be trusted is told with its reason; none stops the others. */
export function readLayer(root: string, path: string, owners: readonly number[]): LayerRead {
  const refused = (message: string): LayerRead => ({ files: [], problems: [{ file: path, line: 1, message }] });
  try {
    return withDirectory(root, path, (directory) => {
      // Whoever can rename in a folder can put any file of the same owner into it.
      const distrust = distrustOwner(fstatSync(directory), owners);
      if (distrust !== null) return refused(`this folder is not read: ${distrust}`);
      const names = namesIn(directory).filter((name) => !name.startsWith('.'));
      if (names.length > MOST_ENTRIES) return refused(`this folder is not read: it holds more than ${MOST_ENTRIES} entries`);
      const files: LayerFile[] = [];
      const problems: Problem[] = [];
      for (const name of names) {
        if (!isAgentFileName(name)) {
          const message = 'not read: a file here must be called NAME.yaml, NAME of letters, digits and . _ -';
          problems.push({ file: `${path}/${printable(name)}`, line: 1, message });
          continue;
        }
        const read = readOwnedFile(directory, name, MAX_FILE_BYTES, owners);
        const unused = read.ok ? '' : `the file is not used: ${read.message}`;
        files.push({ path: `${path}/${name}`, name, read: read.ok ? { ok: true, bytes: read.bytes } : { ok: false, message: unused } });
      }
      return { files, problems };
    });
  } catch (fault) {
    const code = errnoOf(fault);
    if (code === 'ENOENT') return { files: [], problems: [] };
    const odd = code === 'ELOOP' || code === 'ENOTDIR';
    if (odd) return refused('this folder is not read: it, or a folder above it, is a link or not a folder');
    return refused(`this folder cannot be read (${code})`);
  }
}

function printable(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_.+@-]/g, '?').slice(0, 100);
}
