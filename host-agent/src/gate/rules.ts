// SPDX-License-Identifier: Apache-2.0
import { firstAnswering } from '../capability/capability-index.ts';
import { formatCapability, isTree, type Need } from '../capability/capability.ts';
import { allowedBy, deniedBy } from '../capability/ceiling.ts';
import type { Grant, HeldGrants } from '../capability/grant.ts';
import type { AgentAuthority } from './authority.ts';

export type Question = {
  readonly authority: AgentAuthority;
  /** What the agent holds by grants now, in this session. */
  readonly grants: HeldGrants;
  /** Everything the call needs; all of it must be held (R2). */
  readonly needs: readonly Need[];
  /** `held`: the call is a program that sees all files held for it, not only what it names; it then ends with those grants too. */
  readonly opens: 'needed' | 'held';
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly now: number;
  readonly timeoutMs: number;
};

/** What one rule says of one need. A `final` refusal is one that no grant changes. */
export type Finding =
  | { readonly allow: string; readonly grant: Grant | null }
  | { readonly deny: string; readonly final: string };

/** Null from a rule means: not mine to say. A need of null stands for a call that needs nothing. */
export type Rule = { readonly name: string; readonly judge: (question: Question, need: Need | null) => Finding | null };

/** The first rule that says something decides; when none does, the need is denied (`default-deny`). The order is the policy. */
export const RULES: readonly Rule[] = [
  { name: 'limit.time', judge: timeIsSound },
  { name: 'nothing-needed', judge: needsNothing },
  { name: 'ceiling.deny', judge: ceilingDenies },
  { name: 'ceiling.allow', judge: ceilingLacks },
  // Before grants: what is held anyway must not use up a grant.
  { name: 'type-default', judge: heldByDefault },
  { name: 'grant', judge: heldByGrant },
];

/** A25: a limit that is no number of milliseconds is a refusal and never "no limit". */
function timeIsSound({ now, timeoutMs }: Question): Finding | null {
  if (Number.isSafeInteger(timeoutMs) && timeoutMs > 0 && Number.isSafeInteger(now + timeoutMs)) return null;
  return { deny: 'limit.time', final: 'The time limit of the call must be a whole number of milliseconds above 0; ask for a shorter one.' };
}

function needsNothing(_question: Question, need: Need | null): Finding | null {
  return need === null ? { allow: 'nothing-needed', grant: null } : null;
}

function ceilingDenies({ authority }: Question, need: Need | null): Finding | null {
  const pattern = need && deniedBy(authority.ceiling, need);
  if (!need || !pattern) return null;
  const denial = formatCapability(pattern);
  return {
    deny: `ceiling.deny:${denial}`,
    final: isTree(need) && pattern.resource !== need.resource
      ? `Type ${authority.type} can never use ${formatCapability(need)} as a whole: its ceiling denies ${denial}, and no grant changes that.`
      : `Type ${authority.type} can never use ${formatCapability(need)}: its ceiling denies ${denial}, and no grant changes that.`,
  };
}

/** Grants are checked against the ceiling when they are given; this holds also for one that came by another way. */
function ceilingLacks({ authority }: Question, need: Need | null): Finding | null {
  if (!need || allowedBy(authority.ceiling, need) !== null) return null;
  return {
    deny: 'ceiling.allow',
    final: `Type ${authority.type} can never hold ${formatCapability(need)}: it lies outside its ceiling, and no grant changes that.`,
  };
}

function heldByDefault({ authority }: Question, need: Need | null): Finding | null {
  const position = need && firstAnswering(authority.defaultIndex, need);
  if (position === null) return null;
  return { allow: `type-default:${formatCapability(authority.defaults[position]!)}`, grant: null };
}

function heldByGrant({ grants, now }: Question, need: Need | null): Finding | null {
  const position = need && firstAnswering(grants.index, need);
  if (position === null) return null;
  const grant = grants.grants[position]!;
  // The book gives out live grants only; one that is past its end here is somebody's mistake and opens nothing.
  if (grant.notAfter <= now) return null;
  return { allow: `grant:${grant.id}`, grant };
}
