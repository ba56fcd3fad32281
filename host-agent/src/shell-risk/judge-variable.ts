// SPDX-License-Identifier: Apache-2.0
import { say, type Judging } from './judging.ts';
import type { Span } from './verdict.ts';

/** A variable of the line itself, or one that `env` sets for what it runs. */
export function judgeVariable(judging: Judging, name: string, text: string, span: Span): void {
  for (const rule of judging.rules.variables) {
    if (rule.name.test(name) && (rule.value === undefined || rule.value.test(text))) say(judging, rule, span);
  }
}
