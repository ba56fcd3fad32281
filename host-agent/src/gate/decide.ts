// SPDX-License-Identifier: Apache-2.0
import { formatCapability, isPathNamespace, type Capability, type Need } from '../capability/capability.ts';
import type { Grant } from '../capability/grant.ts';
import { oneLevelHeld, suggestCapability } from '../capability/suggest.ts';
import { RULES, type Finding, type Question, type Rule } from './rules.ts';

/**
 * The judge. No effects, no clock of its own, no memory: the same question always has the same answer.
 * `rule` names what decided, in stable words; where several needs had several rules, joined by ' + '.
 */
export type Decision = Allow | Deny;
export type Allow = {
  readonly verdict: 'allow';
  /** One use of each is spent by the call. */
  readonly grantsUsed: readonly Grant[];
  readonly rule: string;
  /** The earliest of the call's limit and the ends of the grants used (R3, A13). */
  readonly notAfter: number;
};
export type Deny = {
  readonly verdict: 'deny';
  readonly missing: readonly string[];
  readonly rule: string;
  /** The next step for the agent, in words. */
  readonly remedy: string;
  /** What it may ask an operator for; empty when asking is no use. */
  readonly mayAsk: readonly string[];
};

export function decide(question: Question): Decision {
  return decideBy(RULES, question);
}

/** For an act on what an allowed call opened: that call was judged, and what it opened ends with the authority that opened it. */
export function allowOpened(rule: string, { now, timeoutMs }: Pick<Question, 'now' | 'timeoutMs'>): Allow {
  return { verdict: 'allow', grantsUsed: [], rule, notAfter: now + timeoutMs };
}

/** With other rules, so that a test can take one out and see a row of the truth tables fail. */
export function decideBy(rules: readonly Rule[], question: Question): Decision {
  const needs = question.needs.length === 0 ? [null] : question.needs;
  const findings = needs.map((need) => ({ need, finding: judge(rules, question, need) }));
  const denied = findings.filter(({ finding }) => finding === null || 'deny' in finding);
  if (denied.length > 0) return deny(question, denied);
  const allowed = findings.flatMap(({ finding }) => (finding !== null && 'allow' in finding ? [finding] : []));
  const grantsUsed = unique([...allowed.flatMap(({ grant }) => grant ?? []), ...openedBeside(question)]);
  return {
    verdict: 'allow',
    grantsUsed,
    rule: unique(allowed.map((finding) => finding.allow)).join(' + '),
    notAfter: Math.min(question.now + question.timeoutMs, ...grantsUsed.map((grant) => grant.notAfter)),
  };
}

function judge(rules: readonly Rule[], question: Question, need: Need | null): Finding | null {
  for (const rule of rules) {
    const finding = rule.judge(question, need);
    if (finding !== null) return finding;
  }
  return null;
}

/** Files that a program sees beside what it names. Grants with a use count are kept for calls that name them. */
function openedBeside({ grants, opens, now }: Question): readonly Grant[] {
  if (opens === 'needed') return [];
  return grants.grants.filter((grant) => isPathNamespace(grant.capability.namespace) && grant.usesLeft === null && now < grant.notAfter);
}

type Denied = { readonly need: Need | null; readonly finding: Finding | null };

function deny(question: Question, denied: readonly Denied[]): Deny {
  const missing = unique(denied.flatMap(({ need }) => (need === null ? [] : [formatCapability(need)])));
  const finals = denied.flatMap(({ finding }) => (finding !== null && 'deny' in finding ? [finding] : []));
  const final = finals[0];
  if (final !== undefined) return { verdict: 'deny', missing, rule: final.deny, remedy: final.final, mayAsk: [] };
  const needs = denied.flatMap(({ need }) => need ?? []);
  const asks = needs.map((need) => suggestCapability(question.authority.ceiling, need));
  // Part of what is missing would not help: the call would be refused again.
  const unnamable = needs.filter((_, n) => asks[n] === null);
  const mayAsk = unnamable.length > 0 ? [] : unique(asks.flatMap((ask) => (ask === null ? [] : [formatCapability(ask)])));
  return { verdict: 'deny', missing, rule: 'default-deny', remedy: remedy(question, needs, unnamable, mayAsk), mayAsk };
}

function remedy(
  question: Question,
  needs: readonly Need[],
  unnamable: readonly Need[],
  mayAsk: readonly string[],
): string {
  if (unnamable.length > 0) {
    const named = unnamable.map(formatCapability).join(' and ');
    return `No capability names exactly ${named}; ask an operator for one whose pattern covers it, or use another name.`;
  }
  const hint = needs.map((need) => stoppedShort(question, need)).find((text) => text !== null) ?? '';
  return `Ask an operator with authority.request for ${mayAsk.join(' and for ')}; try again when it is granted.${hint}`;
}

/** R1: `/etc/*` deliberately stops after one level; an agent that runs into that is told. */
function stoppedShort({ authority, grants }: Question, need: Need): string | null {
  const byGrant = grants.grants.map((grant): Capability => grant.capability);
  const short = oneLevelHeld(authority.defaults, authority.defaultIndex, need) ?? oneLevelHeld(byGrant, grants.index, need);
  if (short === null) return null;
  return ` (${formatCapability(short.held)}, which you hold, reaches one level only; ${formatCapability(short.deep)} would reach it.)`;
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
