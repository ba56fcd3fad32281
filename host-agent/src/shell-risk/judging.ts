// SPDX-License-Identifier: Apache-2.0
import type { SyntaxNode } from 'unbash';
import type { Member } from './member.ts';
import type { Printed } from './output.ts';
import type { RuleIndex } from './rule-index.ts';
import type { Scope } from './scope.ts';
import type { Finding, Reason, Span } from './verdict.ts';
import type { Prints, Value } from './word-values.ts';

/** What one line is judged with; it lives as long as that. */
export type Judging = {
  readonly rules: RuleIndex;
  /** R30: every command must be one of these; null without such a list. */
  readonly allowed: ReadonlySet<string> | null;
  readonly places: readonly string[];
  readonly scope: Scope;
  readonly found: Reason[];
  /** Kinds of looking around that the line did: two of them make a survey. */
  readonly looked: Map<string, Span>;
  /**
   * Judges text as a line of its own; every reason has the span of the word it came from. `passed`: where the text may be something else
   * than shell, and another reason stands already.
   */
  readonly code: (text: string, span: Span, unreadable: 'refused' | 'passed') => void;
  /** One more command, and one more path, wherever they were found. */
  readonly member: (member: Member) => void;
  readonly place: (word: Value, how: 'read' | 'write') => void;
  readonly prints: Prints;
  /** A substitution may be asked for often; it is worked out once. */
  readonly printed: Map<SyntaxNode, Printed>;
  /** Commands seen, those in quoted code and behind wrappers included. */
  members: number;
  /** How many wrappers stand around the command that is judged. */
  wrapped: number;
};

export function say(judging: Judging, finding: Finding, span: Span): void {
  const { rule, class: of, risk, why } = finding;
  judging.found.push({ rule, class: of, risk, why, span });
}
