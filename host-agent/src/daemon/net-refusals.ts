// SPDX-License-Identifier: Apache-2.0
import { openTokenBucket, type TokenBucket } from '../door/token-bucket.ts';
import { openViolationCount, type ViolationCount } from '../door/violation-count.ts';
import type { NetAsk, NetTurnedAway } from '../egress/egress-wire.ts';
import type { AgentName } from '../identity/ids.ts';
import type { EntryDraft } from '../ledger/entry.ts';
import type { NetRefused } from '../tool-call/judge-net.ts';
import { netRefused, netRefusedMore, netTurnedAway } from '../tool-call/net-entries.ts';

/** An honest program that hits a wall a few times has each of them on record; of one that hammers, a count (B22). */
const EACH = { perSecond: 0.5, burst: 40 };
const WINDOW_MS = 60_000;

export type NetRefusals = {
  readonly add: (agent: AgentName, ask: NetAsk, judged: NetRefused, now: number) => void;
  /** Without a judgement: more than may be asked at all. */
  readonly addOver: (agent: AgentName, rule: string, now: number) => void;
  /** holdfast-egress counts too; it is not relied upon. */
  readonly addTurnedAway: (refused: NetTurnedAway, now: number) => void;
  readonly tick: (now: number) => void;
  readonly flush: () => void;
};

type OfAgent = { readonly each: TokenBucket; readonly more: ViolationCount<string> };

export function openNetRefusals(note: (draft: EntryDraft) => void): NetRefusals {
  const agents = new Map<AgentName, OfAgent>();

  function of(agent: AgentName, now: number): OfAgent {
    const known = agents.get(agent) ?? { each: openTokenBucket(EACH, now), more: openViolationCount<string>((rule, count) => note(netRefusedMore(agent, rule, count)), WINDOW_MS) };
    agents.set(agent, known);
    return known;
  }

  return {
    add: (agent, ask, judged, now) => {
      const { each, more } = of(agent, now);
      if (each.take(now)) note(netRefused(agent, ask, judged));
      else more.add(judged.refusal.rule, now);
    },
    addOver: (agent, rule, now) => of(agent, now).more.add(rule, now),
    addTurnedAway: (refused, now) => {
      const { each, more } = of(refused.agent, now);
      if (each.take(now)) note(netTurnedAway(refused));
      else more.add(refused.rule, now, refused.count);
    },
    tick: (now) => {
      for (const { more } of agents.values()) more.tick(now);
    },
    flush: () => {
      for (const { more } of agents.values()) more.flush();
    },
  };
}
