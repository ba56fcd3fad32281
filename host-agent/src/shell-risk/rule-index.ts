// SPDX-License-Identifier: Apache-2.0
import { TABLES, type ProgramRule, type Tables } from './tables.ts';

/** The tables, with the rows of a program found by its name. */
export type RuleIndex = Tables & {
  readonly named: ReadonlyMap<string, readonly ProgramRule[]>;
  readonly begun: readonly (readonly [string, ProgramRule])[];
  readonly excepted: ReadonlyMap<string, ReadonlySet<string>>;
};

export function indexRules(tables: Tables): RuleIndex {
  const named = new Map<string, ProgramRule[]>();
  const begun: (readonly [string, ProgramRule])[] = [];
  for (const rule of tables.programs) {
    for (const name of rule.names.split(' ')) {
      if (name.endsWith('*')) begun.push([name.slice(0, -1), rule]);
      else named.set(name, [...(named.get(name) ?? []), rule]);
    }
  }
  const excepted = new Map(tables.arguments.map(({ rule, except }) => [rule, new Set((except ?? '').split(' '))] as const));
  return { ...tables, named, begun, excepted };
}

export function rulesOf(index: RuleIndex, name: string): readonly ProgramRule[] {
  const begun = index.begun.filter(([start]) => name.startsWith(start)).map(([, rule]) => rule);
  const named = index.named.get(name) ?? [];
  return begun.length === 0 ? named : [...named, ...begun];
}

export const USUAL_RULES: RuleIndex = indexRules(TABLES);
