// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';

// Words as a shell would split them, and nothing more: no variables, no globs, no substitution, no operators. Characters that would
// mean something to another shell stay plain text here, which is why none of them needs refusing.

export function splitWords(line: string): Result<readonly string[]> {
  const words: string[] = [];
  let word: string | null = null;
  let at = 0;
  while (at < line.length) {
    const character = line.charAt(at);
    at += 1;
    if (character === ' ' || character === '\t' || character === '\n' || character === '\r') {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === "'") {
      const end = line.indexOf("'", at);
      if (end < 0) return refuse("cannot read the command: a ' is never closed");
      word = (word ?? '') + line.slice(at, end);
      at = end + 1;
    } else if (character === '"') {
      let closed = false;
      word ??= '';
      while (at < line.length && !closed) {
        const inner = line.charAt(at);
        at += 1;
        if (inner === '"') closed = true;
        else if (inner === '\\' && (line.charAt(at) === '"' || line.charAt(at) === '\\')) {
          word += line.charAt(at);
          at += 1;
        } else word += inner;
      }
      if (!closed) return refuse('cannot read the command: a " is never closed');
    } else if (character === '\\') {
      if (at === line.length) return refuse('cannot read the command: it ends in a backslash');
      word = (word ?? '') + line.charAt(at);
      at += 1;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return accept(words);
}
