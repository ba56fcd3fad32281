// SPDX-License-Identifier: Apache-2.0
import type { UnitNews } from '../effects/systemd-manager.ts';
import type { AgentName } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';

/**
 * How an agent's program ended. `stopped`: somebody other than an operator asked systemd for it, such as holdfast-declare or a
 * shutdown. `unknown`: nobody looked when it happened.
 */
export type AgentEnd = { readonly reason: 'exited' | 'failed' | 'stopped' | 'unknown'; readonly result: string | null };

/** Whose programs run, so that each end is recorded once: by the operator who asked for it, or else by holdfastd. */
export type AgentRuns = {
  /** A start is asked for: what is seen from here on is of the new program. */
  readonly starting: (agent: AgentName) => void;
  /** It has started, and that is on record. */
  readonly started: (agent: AgentName) => void;
  readonly notStarted: (agent: AgentName) => void;
  /** Asked for and not done. It is told until the next start: an agent that stays stopped at boot has nobody who hears the answer. */
  readonly refused: (agent: AgentName, why: string) => void;
  readonly whyRefused: (agent: AgentName) => string | null;
  /** Whoever stops it records its end; from here on nobody else does. False when it was not known to run. */
  readonly stopping: (agent: AgentName) => boolean;
  readonly notStopped: (agent: AgentName) => void;
  readonly seen: (agent: AgentName, news: Omit<UnitNews, 'unit'>) => void;
  /** For ends of which no word came. */
  readonly look: (stateOf: (agent: AgentName) => Promise<Result<{ readonly active: string }>>, patience: () => Promise<unknown>) => Promise<void>;
  /** Its last program failed, and none has been started since. */
  readonly hasFailed: (agent: AgentName) => boolean;
};

export type RunEvents = {
  readonly onEnded: (agent: AgentName, end: AgentEnd) => void;
  /** Neither an operator nor holdfastd asked for this start. */
  readonly onStarted: (agent: AgentName) => void;
  /** After each change: those that run. */
  readonly keep: (running: readonly AgentName[]) => void;
};

type Run = { phase: 'starting' | 'running' | 'stopping'; /** A stop job was seen. */ asked: boolean; /** While starting. */ end: AgentEnd | null };

/** `running` are those that ran when it was last known. */
export function openAgentRuns(running: readonly AgentName[], events: RunEvents): AgentRuns {
  const runs = new Map<AgentName, Run>(running.map((agent) => [agent, { phase: 'running', asked: false, end: null }]));
  const failed = new Set<AgentName>();
  const refusals = new Map<AgentName, string>();

  function keep(): void {
    events.keep([...runs].filter(([, run]) => run.phase !== 'starting').map(([agent]) => agent));
  }

  function begin(agent: AgentName, phase: Run['phase']): void {
    runs.set(agent, { phase, asked: false, end: null });
    failed.delete(agent);
    refusals.delete(agent);
    keep();
  }

  function end(agent: AgentName, how: AgentEnd): void {
    runs.delete(agent);
    if (how.reason === 'failed') failed.add(agent);
    keep();
    events.onEnded(agent, how);
  }

  function phase(agent: AgentName, next: Run['phase']): Run | undefined {
    const run = runs.get(agent);
    if (run !== undefined) run.phase = next;
    return run;
  }

  function seen(agent: AgentName, { active, job, result }: Omit<UnitNews, 'unit'>): void {
    const run = runs.get(agent);
    if (active === 'active' && run === undefined) {
      begin(agent, 'running');
      return events.onStarted(agent);
    }
    if (run === undefined) return;
    if (active === 'active') run.end = null;
    if (active === 'deactivating' && job) run.asked = true;
    if (active !== 'inactive' && active !== 'failed') return;
    // One that had to be killed because it would not stop has failed for systemd; it did not fail by itself.
    const reason = run.asked ? 'stopped' : active === 'failed' ? 'failed' : 'exited';
    const how: AgentEnd = { reason, result: active === 'failed' ? result : null };
    if (run.phase === 'starting') run.end = how;
    else if (run.phase === 'running') end(agent, how);
    else {
      runs.delete(agent);
      keep();
    }
  }

  return {
    starting: (agent) => begin(agent, 'starting'),
    started: (agent) => {
      const run = phase(agent, 'running');
      keep();
      // Over before its start was on record.
      if (run !== undefined && run.end !== null) end(agent, run.end);
    },
    notStarted: (agent) => {
      runs.delete(agent);
      keep();
    },
    refused: (agent, why) => void refusals.set(agent, why),
    whyRefused: (agent) => refusals.get(agent) ?? null,
    stopping: (agent) => phase(agent, 'stopping') !== undefined,
    notStopped: (agent) => void phase(agent, 'running'),
    seen,
    look: async (stateOf, patience) => {
      const over = async ([agent, run]: [AgentName, Run]): Promise<void> => {
        const state = run.phase === 'running' ? await stateOf(agent) : null;
        if (state?.ok !== true || (state.value.active !== 'inactive' && state.value.active !== 'failed')) return;
        // Word of it may be under way, and says more.
        await patience();
        if (runs.get(agent) === run && run.phase === 'running') end(agent, { reason: state.value.active === 'failed' ? 'failed' : 'unknown', result: null });
      };
      await Promise.all([...runs].map(over));
    },
    hasFailed: (agent) => failed.has(agent),
  };
}
