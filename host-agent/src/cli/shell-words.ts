// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { splitWords } from './words.ts';

/**
 * The words of a `holdfast` command, without that word. On a prompt of our own it may be left out; what ssh hands over must say it,
 * so that a client that believes it speaks to a real shell gets a clear no.
 */
export function shellWords(line: string, from: 'ssh' | 'prompt'): Result<readonly string[]> {
  const split = splitWords(line);
  if (!split.ok) return split;
  const [first, ...rest] = split.value;
  if (first === 'holdfast' || first === '/usr/bin/holdfast') return accept(rest);
  if (from === 'prompt') return accept(split.value);
  return refuse(`only holdfast can be run here, not "${first ?? ''}"; see: holdfast --help`);
}
