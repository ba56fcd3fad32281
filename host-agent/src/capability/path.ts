// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { checkText } from './capability-text.ts';

// Below these lie links that the kernel follows to somewhere else for each process (A12). A name there says nothing about
// the file, so none can be judged. `/etc/mtab` and the like, which only point there, are the file tool's to refuse.
const MAGIC = ['/proc', '/dev/fd', '/dev/stdin', '/dev/stdout', '/dev/stderr', '/dev/core'];

/**
 * The one reading of a path in a request (A02): absolute, `.`, `..`, `//` and a trailing `/` resolved by name alone.
 * What comes back is THE string: it is judged, recorded and opened, and nothing normalises it again.
 * Nothing is folded: NFC and NFD, fullwidth and plain forms stay different names (A05).
 */
export function normalisePath(text: string): Result<string> {
  const plain = checkText(text);
  if (!plain.ok) return refuse(`cannot use this path: ${plain.error}`);
  if (!text.startsWith('/')) return refuse('cannot use this path: it must be absolute, starting with /');
  const kept: string[] = [];
  for (const segment of text.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') kept.pop();
    else kept.push(segment);
  }
  const path = `/${kept.join('/')}`;
  const magic = MAGIC.find((root) => path === root || path.startsWith(`${root}/`));
  if (magic !== undefined) {
    return refuse(`cannot use paths under ${magic}: links there lead to other files for each process, so a name there cannot be judged`);
  }
  return accept(path);
}

export function isNormalPath(text: string): boolean {
  const normal = normalisePath(text);
  return normal.ok && normal.value === text;
}
