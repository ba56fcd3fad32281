// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = /^\/etc\/[a-z0-9][a-z0-9_.-]*(?:\/[a-z0-9][a-z0-9_.-]*)*$/;

/** The image's allow-list: one directory a line. It is under verity, so a line that is none is a fault of the build. */
export function etcDirectories(folder: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fault;
  }
  const lines = names.filter((name) => name.endsWith('.conf')).flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  const found = lines.map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== '');
  const wrong = found.find((line) => !DIRECTORY.test(line));
  if (wrong !== undefined) throw new Error(`${folder}: ${wrong} is no directory below /etc`);
  return [...new Set(found)].sort();
}
