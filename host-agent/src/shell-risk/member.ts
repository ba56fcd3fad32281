// SPDX-License-Identifier: Apache-2.0
import type { Written } from './scope.ts';
import type { Span } from './verdict.ts';
import type { Value } from './word-values.ts';

/** One command of a line, wherever it stands: in a pipeline, a substitution, quoted code, behind a wrapper. */
export type Member = {
  readonly program: Value;
  /** Without directories; what is not known of it is UNKNOWN. */
  readonly name: string;
  readonly args: readonly Value[];
  readonly span: Span;
  /** What comes by a pipe or a here-document; null for what the caller has. */
  readonly stdin: Written | null;
  /** Files that its output is put into. */
  readonly writes: readonly string[];
};

export function memberOf(words: readonly Value[], rest: Pick<Member, 'span' | 'stdin' | 'writes'>): Member | null {
  const [program, ...args] = words;
  return program === undefined ? null : { program, name: baseName(program.text), args, ...rest };
}

function baseName(text: string): string {
  return text.slice(text.lastIndexOf('/') + 1).replace(/^\\/, '');
}
