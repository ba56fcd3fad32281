// SPDX-License-Identifier: Apache-2.0
import { formatCapability, requestFor, type Need } from '../capability/capability.ts';
import type { HeldGrants } from '../capability/grant.ts';
import type { NetAsk, NetRefusal } from '../egress/egress-wire.ts';
import { ruleFor, ruleProblem } from '../egress/match-rule.ts';
import { netPermitDigest, type NetPermit } from '../egress/net-permit.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import { decide, type Allow } from '../gate/decide.ts';
import type { CallId } from '../identity/ids.ts';

/** A longer answer than this is no answer; nor does a tunnel, of which nobody knows what it carries, stay longer on one judgement. */
export const WAY_OUT_MS = 10 * 60_000;

export type NetQuestion = {
  readonly ask: NetAsk;
  readonly call: CallId;
  readonly agent: AgentAuthority;
  /** Those that are bound to no session: nobody can say of which session a connection is. */
  readonly grants: HeldGrants;
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly now: number;
};

export type NetJudged = NetAllowed | NetRefused;
export type NetAllowed = {
  readonly verdict: 'allow';
  readonly needs: readonly Need[];
  readonly decision: Allow;
  readonly permit: NetPermit;
  readonly permitDigest: string;
};
export type NetRefused = { readonly verdict: 'deny'; readonly needs: readonly Need[]; readonly missing: readonly string[]; readonly refusal: NetRefusal };

/** May this agent have this one way out? What it may spend on it is asked after this (judge-spending.ts). */
export function judgeNet({ ask, call, agent, grants, now }: NetQuestion): NetJudged {
  if (agent.net === null) return refusedWay([], 'net.none', `Type ${agent.type} can reach no network, and no grant changes that.`);
  const needed = netNeeds(ask);
  if (!needed.ok) return refusedWay([], 'malformed', `${needed.error}.`);
  const needs = needed.value;
  const decision = decide({ authority: agent, grants, needs, opens: 'needed', now, timeoutMs: WAY_OUT_MS });
  if (decision.verdict === 'deny') {
    const what = decision.missing.length === 0 ? '' : `You do not hold ${decision.missing.join(' and ')}. `;
    const refusal = { rule: decision.rule, message: `${what}${decision.remedy}`.toWellFormed(), ask: decision.mayAsk[0] ?? null, retryAfterMs: null };
    return { verdict: 'deny', needs, missing: decision.missing, refusal };
  }
  // After what is held, so that who may not reach a host learns nothing of its rules (D13).
  const problem = ruleProblem(ruleFor(agent.net, ask.host), ask);
  if (problem !== null) return refusedWay(needs, problem.rule, `${problem.message} No grant changes that.`);
  const elsewhere = ask.secrets.find((name) => !isBound(agent, name, ask.host, ask.port));
  if (elsewhere !== undefined) {
    return refusedWay(needs, 'secret.not_bound', `Secret ${elsewhere} is not bound to you and ${ask.host}:${ask.port}: an operator binds it (holdfast secret set), and until then a placeholder of it goes nowhere else.`);
  }
  const permit: NetPermit = { v: 1, kind: 'net', call, agent: agent.name, host: ask.host, port: ask.port, secrets: ask.secrets, notAfter: decision.notAfter };
  return { verdict: 'allow', needs, decision, permit, permitDigest: netPermitDigest(permit) };
}

function netNeeds({ host, port, secrets, model }: NetAsk): { readonly ok: true; readonly value: readonly Need[] } | { readonly ok: false; readonly error: string } {
  const needs: Need[] = [];
  const wanted: readonly (readonly [string, string, string])[] = [
    ['net', 'connect', `${host}:${port}`],
    ...secrets.map((name) => ['secret', 'use', name] as const),
    ...(model === null ? [] : [['model', 'use', model.model] as const]),
  ];
  for (const [namespace, action, resource] of wanted) {
    const need = requestFor(namespace, action, resource);
    if (!need.ok) return need;
    needs.push(need.value);
  }
  return { ok: true, value: needs };
}

/** Held is not enough: a secret goes to the hosts that it is bound to, whoever may use it (D08). */
function isBound({ secrets }: AgentAuthority, name: string, host: string, port: number): boolean {
  return secrets.some((binding) => binding.name === name && binding.hosts.some((at) => at.host === host && at.port === port));
}

/** For what no capability changes. */
export function refusedWay(needs: readonly Need[], rule: string, message: string, retryAfterMs: number | null = null): NetRefused {
  return { verdict: 'deny', needs, missing: [], refusal: { rule, message: message.toWellFormed(), ask: null, retryAfterMs } };
}

export function refusedForEnded(judged: NetAllowed, why: string): NetRefused {
  const missing = judged.needs.map(formatCapability);
  const refusal = { rule: 'grant.ended', message: `${why.charAt(0).toUpperCase()}${why.slice(1)}.`, ask: missing[0] ?? null, retryAfterMs: null };
  return { verdict: 'deny', needs: judged.needs, missing, refusal };
}
