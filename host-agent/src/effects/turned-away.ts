// SPDX-License-Identifier: Apache-2.0
import { openTokenBucket, type TokenBucket } from '../door/token-bucket.ts';
import { openViolationCount, type ViolationCount } from '../door/violation-count.ts';
import type { NetRefusal, NetTurnedAway } from '../egress/egress-wire.ts';
import { isHostName } from '../egress/host-name.ts';
import type { AgentName } from '../identity/ids.ts';
import type { Log } from './log.ts';

type Place = { readonly host: string; readonly port: number };

/** What was refused here before holdfastd was asked, on its way to the ledger. */
export type TurnedAway = {
  readonly add: (agent: AgentName, refused: NetRefusal, to: Place | null) => void;
  readonly tick: () => void;
  readonly flush: () => void;
};

export type TurnedAwayPorts = {
  /** False when holdfastd is not there. */
  readonly tell: (refused: NetTurnedAway) => Promise<boolean>;
  readonly now: () => number;
  readonly log: Pick<Log, 'warn'>;
};

/** The first of an agent each with its place; of more only how many, by rule: a flood is not to be one of the ledger too (B22, E2). */
const EACH = { perSecond: 0.2, burst: 20 };
const WINDOW_MS = 60_000;

type OfAgent = { readonly each: TokenBucket; readonly more: ViolationCount<string> };

export function openTurnedAway({ tell, now, log }: TurnedAwayPorts): TurnedAway {
  const agents = new Map<AgentName, OfAgent>();

  function of(agent: AgentName): OfAgent {
    const known = agents.get(agent) ?? {
      each: openTokenBucket(EACH, now()),
      more: openViolationCount<string>((rule, count) => say({ tell: 'refused', agent, rule, host: null, port: null, count }), WINDOW_MS),
    };
    agents.set(agent, known);
    return known;
  }

  function say(refused: NetTurnedAway): void {
    void tell(refused).then((told) => {
      if (told) return;
      const { agent, rule, count } = refused;
      log.warn({ agent, rule, count }, 'holdfastd cannot be told yet that this was refused');
      // Counted on: whoever records it comes back.
      of(agent).more.add(rule, now(), count);
    });
  }

  return {
    add: (agent, { rule }, to) => {
      const { each, more } = of(agent);
      if (!each.take(now())) return more.add(rule, now());
      // An address in brackets is no name as holdfastd judges them.
      const place = to !== null && isHostName(to.host) ? to : null;
      say({ tell: 'refused', agent, rule, host: place?.host ?? null, port: place?.port ?? null, count: 1 });
    },
    tick: () => {
      for (const { more } of agents.values()) more.tick(now());
    },
    flush: () => {
      for (const { more } of agents.values()) more.flush();
    },
  };
}
