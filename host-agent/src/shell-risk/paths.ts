// SPDX-License-Identifier: Apache-2.0
import type { Value } from './word-values.ts';

/** Places that every call has, or that hold nothing of anybody. What the agent's capabilities name comes on top. */
export const USUAL_PLACES: readonly string[] = ['/workspace', '/tmp', '/var/tmp', '/dev', '/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc', '/proc', '/sys', '/var/log', '/run'];

/** The path that a word names: by itself, after `--option=`, `key=`, `@` or an option's letter. Dots are resolved; `//` is `/`. */
export function pathIn({ text }: Value): string | null {
  const found = /^(?:--?[\w-]+=|-[A-Za-z]|[\w.-]+=@?|@|<|file:\/\/)?(\/|~(?:\/|$))/.exec(text);
  if (found === null) return null;
  const path = text.slice(found[0].length - found[1]!.length);
  return path.includes('://') ? null : resolved(path);
}

export function resolved(path: string): string {
  if (!path.includes('//') && !path.includes('/.') && (path.length === 1 || !path.endsWith('/'))) return path;
  const home = path.startsWith('~');
  const parts: string[] = [];
  for (const part of path.split('/').slice(1)) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `${home ? '~' : ''}/${parts.join('/')}`.replace(/^~\/$/, '~');
}

/** More than one step, so that an option or a search like `/word/` is none. */
export function isOutside(path: string, places: readonly string[]): boolean {
  if (!/^\/[A-Za-z0-9_.][^/]*\/./.test(path)) return false;
  return !places.some((place) => path === place || path.startsWith(`${place}/`));
}

/** What nobody means to lose as a whole. */
export function isWide(path: string): boolean {
  const root = path.replace(/\/[^/]*[*\0][^/]*$/, '') || '/';
  return /^(?:\/|~|\/[^/]+|\/(?:home|Users|var|mnt|media)\/[^/]+|\/usr\/(?:bin|lib|sbin|share|local))$/.test(root) && !/^\/(?:tmp|workspace)$/.test(root);
}

/** By what name a file that the line wrote is found again. */
export function fileKey(text: string): string {
  return text.startsWith('/') || text.startsWith('~') ? resolved(text) : text.replace(/^(?:\.\/)+/, '');
}
