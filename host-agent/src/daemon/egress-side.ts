// SPDX-License-Identifier: Apache-2.0
import type { Declared, DeclaredAgent } from '../config/declared.ts';
import type { UsagePort } from '../door/operator-usage.ts';
import type { RunsPort } from '../door/operator-ports.ts';
import type { PostureFact } from '../door/operator-wire.ts';
import { imageAccounts } from '../effects/account-names.ts';
import { bootMillis } from '../effects/clock.ts';
import { fetchByEgress } from '../effects/egress-fetch-client.ts';
import { serveEgress } from '../effects/egress-listener.ts';
import { keptAccounts } from '../effects/kept-accounts.ts';
import { keptPrices } from '../effects/kept-prices.ts';
import { listenOn } from '../effects/listen.ts';
import type { Paths } from '../effects/paths.ts';
import type { AgentName } from '../identity/ids.ts';
import { limitsOf } from '../tool-call/judge-spending.ts';
import type { FetcherPort } from '../tool-call/ports.ts';
import { lost, netOutcome } from '../tool-call/net-entries.ts';
import { openFetches } from './fetches.ts';
import { openWaysOut, type WaysOutPorts } from './ways-out.ts';

/** Everything of holdfastd that is about the network: who is out, and what each agent has spent. */
export type EgressSide = {
  readonly usage: UsagePort;
  readonly fetcher: FetcherPort;
  /** What is granted has changed. */
  readonly look: () => void;
  readonly cutAgent: (agent: AgentName, why: string) => void;
  /** `onRefused`: a peer that is not holdfast-egress. */
  readonly listen: (onRefused: (uid: number, why: string) => void) => Promise<void>;
  /** The same, and who is stopped is called back. */
  readonly watching: <R extends RunsPort>(runs: R) => R;
  readonly declared: (before: Declared, now: Declared) => void;
  readonly posture: (agents: readonly DeclaredAgent[]) => readonly PostureFact[];
  readonly close: () => Promise<void>;
};

const TICK_MS = 1_000;

type Place = { readonly root: string; readonly paths: Paths; readonly boot: string };

export function openEgressSide({ root, paths, boot }: Place, ports: Omit<WaysOutPorts, 'accounts' | 'prices'>): EgressSide {
  const clock = () => ({ boot, bootMs: bootMillis(), wallMs: Date.now() });
  const accounts = keptAccounts(paths.usage, clock, (agent, open) => {
    for (const { call, amounts } of open) {
      const charge = { amounts, basis: amounts.tokens > 0 ? 'ceiling' : 'no model', priced: true } as const;
      ports.note(netOutcome({ call, agent, seq: null, host: null, port: null }, lost('holdfastd ended before its end was told'), charge, null));
    }
  });
  const prices = keptPrices(paths.usage);
  const ways = openWaysOut({ ...ports, accounts, prices: prices.table });
  const fetches = openFetches({ ...ports, accounts, prices: prices.table, send: (...request) => fetchByEgress(paths.egressFetchSocket, ...request) });
  const cutAgent = (agent: AgentName, why: string): void => {
    ways.cutAgent(agent, why);
    fetches.cutAgent(agent);
  };
  let closeDoor = (): void => undefined;
  const ticking = setInterval(ways.tick, TICK_MS).unref();

  return {
    fetcher: fetches,
    look: () => {
      ways.look();
      fetches.look();
    },
    cutAgent,
    usage: {
      read: accounts.read,
      limitsOf,
      openOf: ways.openOf,
      reset: accounts.reset,
      prices: () => {
        const { date, models } = prices.table();
        return { date, problem: prices.problem(), models: [...models].map(([model, { input, output, cachedInput, cacheWrite }]) => ({ model, input, output, cachedInput, cacheWrite })) };
      },
      pricesProblem: prices.check,
      setPrices: async (text) => prices.replace(text),
    },
    listen: async (onRefused) => {
      const { onFault } = ports;
      // Under a root of its own everything runs as one user.
      const uid = root === '' ? imageAccounts('').uidOf('holdfast-egress') : (process.getuid?.() ?? null);
      closeDoor = serveEgress(await listenOn('egress', paths.egressDoorSocket), { uid, connect: ways.connect, onRefused, onFault }).close;
    },
    watching: (runs) => ({
      ...runs,
      stopping: (agent) => {
        cutAgent(agent, 'its agent was stopped');
        return runs.stopping(agent);
      },
    }),
    declared: (before, now) => {
      const is = new Map(now.agents.map((agent) => [agent.name, JSON.stringify(agent)]));
      for (const agent of before.agents) {
        const same = is.get(agent.name);
        if (same === undefined) cutAgent(agent.name, 'its agent is declared no more');
        else if (same !== JSON.stringify(agent)) cutAgent(agent.name, 'its agent was declared anew');
      }
      // What was open when holdfastd ended is charged and recorded as soon as it is known, not at the next request.
      for (const { name, net } of now.agents) if (net !== null) accounts.read(name);
    },
    posture: (agents) => {
      const broken = agents.filter(({ net }) => net !== null).flatMap(({ name }: { name: AgentName }) => {
        const read = accounts.read(name);
        return read.ok ? [] : [read.error];
      });
      const why = [...broken, prices.problem()].filter((problem) => problem !== null);
      return why.length === 0 ? [] : [{ name: 'budgets', state: 'bad', detail: why.join('; ') }];
    },
    close: async () => {
      clearInterval(ticking);
      await ways.close();
      closeDoor();
      await accounts.close();
    },
  };
}
