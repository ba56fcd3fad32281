// SPDX-License-Identifier: Apache-2.0
import { ARGUMENT_RULES } from './argument-rules.ts';
import { CODE_RULES } from './code-rules.ts';
import { PLACE_RULES } from './place-rules.ts';
import { PROGRAM_RULES } from './program-rules.ts';
import type { Finding } from './verdict.ts';
import { VARIABLE_RULES } from './variable-rules.ts';

// The decisions are rows. Patterns hold no repetition within a repetition, so each takes time in proportion to its text.

/** Every condition that is there must hold. */
export type ProgramRule = Finding & {
  /** Names with blanks between; one that ends in `*` is a beginning. */
  readonly names: string;
  readonly some?: RegExp;
  readonly none?: RegExp;
  /** The first word that is no option. */
  readonly first?: RegExp;
  /** Something is piped or put into it. */
  readonly piped?: true;
  /** Nothing but options, or not even those. */
  readonly bare?: true;
};

/** About one argument of any program. */
export type ArgumentRule = Finding & { readonly argument: RegExp; readonly except?: string };

/** About a path, absolute or below `~`, with its dots resolved. */
export type PlaceRule = Finding & { readonly path: RegExp; readonly when: 'read' | 'write' | 'any' };

/** About code of another language, or text that is put where something may run it. */
export type CodeRule = Finding & { readonly code: RegExp };

export type VariableRule = Finding & { readonly name: RegExp; readonly value?: RegExp };

export type Tables = {
  readonly programs: readonly ProgramRule[];
  readonly arguments: readonly ArgumentRule[];
  readonly places: readonly PlaceRule[];
  readonly code: readonly CodeRule[];
  readonly variables: readonly VariableRule[];
};

export const TABLES: Tables = { programs: PROGRAM_RULES, arguments: ARGUMENT_RULES, places: PLACE_RULES, code: CODE_RULES, variables: VARIABLE_RULES };
