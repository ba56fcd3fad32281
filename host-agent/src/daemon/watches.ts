// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { parseAgentName, type AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { seenMetrics } from '../tools/host-metrics.ts';
import type { Change } from '../tools/tool.ts';
import { FIGURES, watchList, type Bound, type Watch } from '../tools/watch.ts';

type WatchChange = Extract<Change, { readonly what: 'watch' }>;

export type Watches = {
  readonly change: (agent: AgentName, change: WatchChange) => Result<JsonObject>;
  /** One look at all of them. */
  readonly look: (metrics: Result<JsonValue>) => void;
  /** Agents that are declared no more watch no more. */
  readonly keepOnly: (agents: readonly AgentName[]) => void;
};

export type WatchEvents = {
  readonly onCrossed: (agent: AgentName, watch: Watch, value: number) => void;
  readonly onBack: (agent: AgentName, watch: Watch, value: number) => void;
  /** The figures cannot be read, so nothing is noticed: told once, until they can. */
  readonly onBlind: (why: string) => void;
};

/** Holds over a restart of holdfastd, or not at all. */
export type WatchKeeper = { readonly load: () => Result<JsonValue>; readonly store: (kept: JsonValue) => Result<null> };

const keptForm = z.array(z.strictObject({ agent: z.string(), watches: watchList }));

/** `note`: why the watches of before are gone, for a person and for the ledger; null when they are not. */
export function openWatches(keeper: WatchKeeper, events: WatchEvents): { readonly watches: Watches; readonly note: string | null } {
  const found = readKept(keeper.load());
  let all: ReadonlyMap<AgentName, readonly Watch[]> = found.ok ? found.value : new Map();
  let blind = false;

  function replace(agent: AgentName, watches: readonly Watch[]): Result<null> {
    const next = new Map(all);
    if (watches.length > 0) next.set(agent, watches);
    else next.delete(agent);
    const kept = keeper.store([...next].map(([name, list]) => ({ agent: name, watches: list })) as JsonValue);
    // Else it would be watched until a restart and then, unnoticed, no more.
    if (kept.ok) all = next;
    return kept;
  }

  return {
    note: found.ok ? null : found.error,
    watches: {
      change: (agent, change) => {
        const own = all.get(agent) ?? [];
        const before = own.find((watch) => isOf(watch, change)) ?? null;
        const others = own.filter((watch) => watch !== before);
        const watches = change.verb === 'clear' ? others : [...others, { figure: change.figure, when: change.when, limit: change.limit, crossed: false }];
        const kept = replace(agent, watches);
        return kept.ok ? accept({ before, watches }) : kept;
      },
      look: (seen) => {
        const metrics = seen.ok ? seenMetrics.safeParse(seen.value) : null;
        if (metrics?.success !== true) {
          if (!blind && all.size > 0) events.onBlind(seen.ok ? 'they do not have their form' : seen.error);
          blind = all.size > 0;
          return;
        }
        blind = false;
        for (const [agent, watches] of all) {
          const now = watches.map((watch) => ({ ...watch, crossed: isBeyond(watch, FIGURES[watch.figure](metrics.data)) }));
          const changed = now.filter((watch, n) => watch.crossed !== watches[n]!.crossed);
          // Told again after a restart when it cannot be kept: twice is better than never.
          if (changed.length > 0) replace(agent, now);
          for (const watch of changed) (watch.crossed ? events.onCrossed : events.onBack)(agent, watch, FIGURES[watch.figure](metrics.data));
        }
      },
      keepOnly: (agents) => {
        for (const agent of all.keys()) if (!agents.includes(agent)) replace(agent, []);
      },
    },
  };
}

function isOf(watch: Bound, { figure, when }: Bound): boolean {
  return watch.figure === figure && watch.when === when;
}

function isBeyond({ when, limit }: Watch, value: number): boolean {
  return when === 'above' ? value > limit : value < limit;
}

function readKept(kept: Result<JsonValue>): Result<ReadonlyMap<AgentName, readonly Watch[]>> {
  if (!kept.ok) return kept;
  const read = keptForm.safeParse(kept.value);
  const all = new Map<AgentName, readonly Watch[]>();
  for (const { agent, watches } of read.success ? read.data : []) {
    const name = parseAgentName(agent);
    if (!name.ok) return name;
    all.set(name.value, watches);
  }
  return read.success ? accept(all) : refuse('what was kept of watches does not have its form');
}
