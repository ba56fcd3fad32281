// SPDX-License-Identifier: Apache-2.0
import type { DeclaredAgent } from '../config/declared.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { KINDS, openOf, retryAfter, spentOf, type Account, type Limits } from '../usage/account.ts';
import { declaredAgent, draftBy, type OperatorDoorPorts } from './operator-ports.ts';
import type { OperatorAnswer, PricesView, UsageView } from './operator-wire.ts';

export type UsagePort = {
  readonly read: (agent: DeclaredAgent['name']) => Result<{ readonly account: Account; readonly now: number }>;
  readonly limitsOf: (agent: DeclaredAgent) => Limits;
  /** How many are out now. */
  readonly openOf: (agent: DeclaredAgent['name']) => number;
  readonly reset: (agent: DeclaredAgent['name']) => Promise<Result<null>>;
  readonly prices: () => PricesView;
  /** Null: what it says is good. */
  readonly pricesProblem: (text: string) => string | null;
  readonly setPrices: (text: string) => Promise<Result<null>>;
};

type Ports = Pick<OperatorDoorPorts, 'declared' | 'usage' | 'record'>;

export function usageViews(ports: Ports, text: string | null): OperatorAnswer<readonly UsageView[]> {
  if (text === null) return accept(ports.declared().agents.filter(({ net }) => net !== null).map((agent) => usageOf(ports, agent)));
  const agent = declaredAgent(ports, text);
  return agent.ok ? accept([usageOf(ports, agent.value)]) : agent;
}

export function usageOf({ usage }: Pick<Ports, 'usage'>, agent: DeclaredAgent): UsageView {
  const { name } = agent;
  const kept = usage.read(name);
  if (!kept.ok) return { agent: name, problem: kept.error, ways: usage.openOf(name), figures: [] };
  const { account, now } = kept.value;
  const limits = usage.limitsOf(agent);
  const figures = KINDS.map((kind) => {
    const limit = limits[kind];
    const spent = spentOf(account, kind, now);
    // Until half of it is free again: when nothing is, nobody waits for the first cent.
    const full = limit !== null && spent + openOf(account, kind) >= limit;
    return { kind, limit, spent, open: openOf(account, kind), halfFreeMs: full && limit > 0 ? retryAfter(account, kind, Math.floor(limit / 2), now) : null };
  });
  return { agent: name, problem: null, ways: usage.openOf(name), figures };
}

export async function resetUsage(ports: Ports, operator: OperatorPrincipal, text: string, reason: string): Promise<OperatorAnswer<null>> {
  const agent = declaredAgent(ports, text);
  if (!agent.ok) return agent;
  const recorded = await ports.record(draftBy(operator, 'configuration.changed', { what: 'usage begun anew', agent: agent.value.name, why: reason }));
  if (!recorded.ok) return refuse(`nothing is changed, for it cannot be recorded: ${recorded.error}`);
  return ports.usage.reset(agent.value.name);
}

export async function setPrices(ports: Ports, operator: OperatorPrincipal, text: string): Promise<OperatorAnswer<null>> {
  const problem = ports.usage.pricesProblem(text);
  if (problem !== null) return refuse(problem);
  const digest = sha256Hex(new TextEncoder().encode(text));
  const recorded = await ports.record(draftBy(operator, 'configuration.changed', { what: 'prices of models replaced', digest }));
  if (!recorded.ok) return refuse(`nothing is changed, for it cannot be recorded: ${recorded.error}`);
  return ports.usage.setPrices(text);
}
