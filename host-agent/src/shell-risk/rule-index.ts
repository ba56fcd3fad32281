// SPDX-License-Identifier: Apache-2.0
import { TABLES, type ProgramRule, type Tables } from './tables.ts';

/** The tables, with the rows of a program found by its name. */
export type RuleIndex = Tables & {
  readonly named: ReadonlyMap<string, readonly ProgramRule[]>;
  readonly begun: readonly (readonly [string, ProgramRule])[];
  /** What no argument, or no path, of any rule fits is looked at once. */
  readonly anyArgument: RegExp;
  readonly anyPlace: RegExp;
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
  return { ...tables, named, begun, excepted, anyArgument: oneOf(tables.arguments.map(({ argument }) => argument)), anyPlace: oneOf(tables.places.map(({ path }) => path)) };
}

const NONE: readonly ProgramRule[] = [];

/** Case is left to the rules themselves. */
function oneOf(patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => `(?:${source})`).join('|') || '(?!)', 'i');
}

export function rulesOf(index: RuleIndex, name: string): readonly ProgramRule[] {
  const named = index.named.get(name) ?? NONE;
  if (!index.begun.some(([start]) => name.startsWith(start))) return named;
  return [...named, ...index.begun.filter(([start]) => name.startsWith(start)).map(([, rule]) => rule)];
}

export const USUAL_RULES: RuleIndex = indexRules(TABLES);
