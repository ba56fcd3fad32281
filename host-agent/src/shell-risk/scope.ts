// SPDX-License-Identifier: Apache-2.0

/** Stands for what only the running shell knows: a character that no line may hold. */
export const UNKNOWN = '\0';

/** How what a line put into a file came to be; running that file later in the line is running this. */
export type Written = { readonly text: string | null; readonly decoded: boolean; readonly fetched: boolean };

/** `runs`: as a command; `reads`: as code. */
export type WordsUse = { readonly runs: boolean; readonly reads: boolean };

/** What a line has said about itself so far. Order is the order of the text: branches and loops are not followed. */
export type Scope = {
  readonly values: Map<string, string>;
  /** Variables that have had two values, or one that only running the line would tell. */
  readonly made: Set<string>;
  /** Functions, and what each does with its words. */
  readonly functions: Map<string, WordsUse>;
  readonly files: Map<string, Written>;
  /** Characters that variables may still put into words: a line cannot grow without end. */
  room: number;
};

export function emptyScope(): Scope {
  return { values: new Map(), made: new Set(), functions: new Map(), files: new Map(), room: 1_048_576 };
}

export function assign(scope: Scope, name: string, text: string): void {
  if (scope.values.has(name) && scope.values.get(name) !== text) scope.made.add(name);
  scope.values.set(name, text);
}
