// SPDX-License-Identifier: Apache-2.0
import { allGrants, type Grant, type GrantBook } from '../capability/grant.ts';
import { withinCeiling } from '../capability/ceiling.ts';
import type { Declared, DeclaredAgent, DeclaredOperator } from '../config/declared.ts';
import { authorityOf } from '../gate/authority.ts';
import type { JsonObject } from '../ledger/entry.ts';
import { sha256Hex } from '../ledger/digest.ts';

/** What an entry says about agents that were declared anew; the digest is of the whole declaration that holds now. */
export function agentChanges(before: Declared, now: Declared): JsonObject {
  const was = new Map(before.agents.map((agent) => [agent.name, JSON.stringify(agent)]));
  const is = new Map(now.agents.map((agent) => [agent.name, JSON.stringify(agent)]));
  return {
    what: 'agents declared',
    added: [...is.keys()].filter((name) => !was.has(name)),
    removed: [...was.keys()].filter((name) => !is.has(name)),
    changed: [...is.keys()].filter((name) => was.has(name) && was.get(name) !== is.get(name)),
    problems: now.problems.map(({ file, line, message }) => `${file}:${line}: ${message}`.slice(0, 1_024)).slice(0, 32),
    digest: digestOf(now.agents),
  };
}

export function operatorChanges(before: readonly DeclaredOperator[], now: readonly DeclaredOperator[]): JsonObject {
  const names = (list: readonly DeclaredOperator[]): readonly string[] => list.map((operator) => operator.name);
  return { what: 'operators declared', before: names(before), now: names(now), digest: digestOf(now) };
}

/** Grants whose agent is gone, or whose ceiling no longer reaches them. */
export function grantsOutside(book: GrantBook, agents: readonly DeclaredAgent[]): readonly Grant[] {
  return allGrants(book).filter((grant) => {
    const agent = agents.find((declared) => declared.name === grant.agent);
    if (agent === undefined) return true;
    const authority = authorityOf(agent);
    return !authority.ok || !withinCeiling(authority.value.ceiling, grant.capability).ok;
  });
}

function digestOf(value: unknown): string {
  return sha256Hex(new TextEncoder().encode(JSON.stringify(value)));
}
