// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseCapability, parseRequest, treeBelow } from '../capability/capability.ts';
import { heldFrom, type Grant } from '../capability/grant.ts';
import type { DeclaredAgent } from '../config/declared.ts';
import type { AgentId, AgentName, GrantId, OperatorName, PackName } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';
import { authorityOf } from './authority.ts';
import { decide, decideBy, type Decision } from './decide.ts';
import { RULES, type Question, type Rule } from './rules.ts';

type Row = {
  readonly name: string;
  readonly grants?: readonly { readonly id: string; readonly capability: string; readonly notAfter: number; readonly usesLeft?: number }[];
  readonly needs: readonly string[];
  /** Needed with all that lies below. */
  readonly trees?: readonly string[];
  readonly opens?: 'needed' | 'held';
  readonly timeoutMs?: number;
  readonly expect: Readonly<Record<string, unknown>> & { readonly remedy?: string };
};
type Table = { readonly agent: Pick<DeclaredAgent, 'capabilities'> & DeclaredAgent['ceiling']; readonly rows: readonly Row[] };

const folder = new URL('testdata/', import.meta.url);
const cases = readdirSync(folder).flatMap((file) => {
  const table = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Table;
  return table.rows.map((row) => ({ title: `${file}: ${row.name}`, question: questionOf(table, row), expected: row.expect }));
});

describe('the truth tables', () => {
  test.each(cases)('$title', ({ question, expected }) => {
    expect(seen(decide(question), expected)).toEqual(expected);
  });
});

describe('every rule is needed: without it, or in another place, some row fails (R22)', () => {
  test('the tables hold with the rules as they are', () => {
    expect(failing(RULES)).toEqual([]);
  });

  test.each(RULES.map((rule) => rule.name))('without %s', (name) => {
    expect(failing(RULES.filter((rule) => rule.name !== name))).not.toEqual([]);
  });

  test.each([
    ['grant', 'type-default'],
    ['type-default', 'ceiling.deny'],
    ['type-default', 'limit.time'],
    ['grant', 'ceiling.allow'],
  ])('%s before %s', (name, before) => {
    const moved = RULES.find((rule) => rule.name === name)!;
    const rest = RULES.filter((rule) => rule !== moved);
    expect(failing(rest.toSpliced(rest.findIndex((rule) => rule.name === before), 0, moved))).not.toEqual([]);
  });

  test('without any rule nothing is allowed (A01)', () => {
    for (const { question } of cases) expect(decideBy([], question).verdict).toBe('deny');
  });
});

describe('an authority that cannot be read whole is not served (A01)', () => {
  const sound = { capabilities: ['fs:read:/a/b'], allow: ['fs:read:/a/**'], deny: ['fs:read:/a/c'] };

  test('a sound one is', () => {
    expect(authorityOf(declared(sound)).ok).toBe(true);
  });

  test.each([
    ['a default outside the ceiling', { ...sound, capabilities: ['fs:read:/x'] }],
    ['a default that is denied whole', { ...sound, capabilities: ['fs:read:/a/c'] }],
    ['an unreadable default', { ...sound, capabilities: ['fs:read'] }],
    ['an unreadable denial', { ...sound, deny: ['fs:read:/a/'] }],
    ['an unreadable allowance', { ...sound, allow: ['fs:read:/a/**', ''] }],
  ])('%s', (_, agent) => {
    expect(authorityOf(declared(agent)).ok).toBe(false);
  });

  test('with nothing declared everything is denied', () => {
    const table: Table = { agent: { capabilities: [], allow: [], deny: [] }, rows: [] };
    expect(decide(questionOf(table, { name: '', needs: ['fs:read:/a'], expect: {} })).verdict).toBe('deny');
  });
});

function failing(rules: readonly Rule[]): readonly string[] {
  return cases
    .filter(({ question, expected }) => JSON.stringify(seen(decideBy(rules, question), expected)) !== JSON.stringify(expected))
    .map(({ title }) => title);
}

/** A decision in the words of the tables. Of a remedy a row gives the part that matters. */
function seen(decision: Decision, expected: Row['expect']): object {
  if (decision.verdict === 'allow') {
    const { verdict, rule, grantsUsed, notAfter } = decision;
    return { verdict, rule, grantsUsed: grantsUsed.map((grant) => grant.id), notAfter };
  }
  const { verdict, rule, missing, mayAsk, remedy } = decision;
  const part = expected.remedy !== undefined && remedy.includes(expected.remedy) ? expected.remedy : remedy;
  return { verdict, rule, missing, mayAsk, remedy: part };
}

function questionOf(table: Table, row: Row): Question {
  return {
    authority: must(authorityOf(declared(table.agent))),
    grants: heldFrom((row.grants ?? []).map(grantOf)),
    needs: [...row.needs.map((text) => must(parseRequest(text))), ...(row.trees ?? []).map((text) => must(treeBelow(must(parseRequest(text)))))],
    opens: row.opens ?? 'needed',
    now: 1000,
    timeoutMs: row.timeoutMs ?? 30_000,
  };
}

function grantOf({ id, capability, notAfter, usesLeft }: NonNullable<Row['grants']>[number]): Grant {
  return {
    id: id as GrantId,
    agent: 'demo' as AgentName,
    capability: must(parseCapability(capability)),
    notAfter,
    usesLeft: usesLeft ?? null,
    session: null,
    reason: 'a row',
    grantedBy: 'ada' as OperatorName,
  };
}

function declared({ capabilities, allow, deny }: Table['agent']): DeclaredAgent {
  return {
    name: 'demo' as AgentName,
    pack: 'home' as PackName,
    id: 'agent.home.demo.v1' as AgentId,
    type: 'task',
    mode: 'mediated',
    uid: 61000,
    program: null,
    start: 'manual',
    capabilities,
    ceiling: { allow, deny },
    root: 'image',
  home: null,
  profile: 'holdfast-agent-task',
  containerLabel: null, net: null, secrets: [], budget: { costPerDay: null, tokensPerHour: null },
    limits: { timeoutMs: 30_000, memoryMax: 1, tasksMax: 1, outputMax: 1 },
    workspace: '/w',
    peers: { agent: '/a', remote: '/r' },
    peerLabels: { agent: 'unconfined', remote: 'unconfined' },
    callLabel: 'x',
  };
}

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}
