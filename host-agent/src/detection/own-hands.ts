// SPDX-License-Identifier: Apache-2.0
import type { EntryDraft, JsonObject } from '../ledger/entry.ts';
import { openTokenBucket, type TokenBucket } from '../door/token-bucket.ts';
import type { OwnAct } from './own-act.ts';

// What contained agents did, as entries. Each act is in the ledger once: by itself, or, when one agent does more than anybody will read,
// in a count. A flood of acts is no flood of entries (B22), and nothing is left out of the sum.

/** Told one by one: so many at once, then so many a second. */
const TOLD = { burst: 256, perSecond: 2 };
/** How long acts are counted before the count is written. */
const COUNT_MS = 5_000;
/** Programs or ways of changing that are counted by name; the rest as one. */
const MOST_NAMES = 16;

export const WATCH = 'holdfast-watch';

type Counted = { readonly since: number; readonly first: OwnAct; last: OwnAct; total: number; readonly by: Map<string, number> };
type Hands = { readonly told: TokenBucket; counted: Counted | null };

export type OwnHands = {
  /** Drafts to be written now. */
  readonly take: (agent: string, act: OwnAct, now: number) => readonly EntryDraft[];
  /** Counts that are due, or with `all` every one. */
  readonly due: (now: number, all?: boolean) => readonly EntryDraft[];
  /** The kernel's number of the first act that is counted and not written yet. */
  readonly oldest: () => number | null;
};

export function openOwnHands(): OwnHands {
  const hands = new Map<string, Hands>();

  function take(agent: string, act: OwnAct, now: number): readonly EntryDraft[] {
    const own: Hands = hands.get(agent) ?? { told: openTokenBucket(TOLD, now), counted: null };
    hands.set(agent, own);
    // While a count is open, what comes belongs to it: entries stay in the order of the acts.
    if (own.counted === null && own.told.take(now)) return [told(agent, act)];
    const counted = (own.counted ??= { since: now, first: act, last: act, total: 0, by: new Map() });
    counted.total += 1;
    counted.last = act;
    const name = `${act.what.kind === 'exec' ? `exec ${act.exe}` : act.what.op} ${act.result}`;
    const known = counted.by.has(name) || counted.by.size < MOST_NAMES ? name : 'others';
    counted.by.set(known, (counted.by.get(known) ?? 0) + 1);
    return [];
  }

  function due(now: number, all = false): readonly EntryDraft[] {
    return [...hands].flatMap(([agent, own]) => {
      const { counted } = own;
      if (counted === null || (!all && now - counted.since < COUNT_MS)) return [];
      own.counted = null;
      return [count(agent, counted)];
    });
  }

  function oldest(): number | null {
    const open = [...hands.values()].flatMap(({ counted }) => (counted === null ? [] : [counted.first.serial]));
    return open.length === 0 ? null : Math.min(...open);
  }

  return { take, due, oldest };
}

function told(agent: string, { what, ...act }: OwnAct): EntryDraft {
  const { serial, wallMs, pid, ppid, exe, result, whole } = act;
  const common = { agent, mode: 'contained', exe, pid, ppid, result, at: at(wallMs), serial, whole };
  if (what.kind === 'file') return draft(agent, 'unmediated.file', { ...common, op: what.op, paths: what.paths });
  return draft(agent, 'unmediated.exec', { ...common, program: what.program, argv: what.argv, argc: what.argc, cwd: what.cwd });
}

function count(agent: string, { first, last, total, by }: Counted): EntryDraft {
  const of = [...by].sort(([, a], [, b]) => b - a).map(([what, times]) => ({ what, times }));
  const span = { from: at(first.wallMs), until: at(last.wallMs), serial: first.serial, last_serial: last.serial };
  return draft(agent, 'unmediated.counted', { agent, mode: 'contained', count: total, of, ...span });
}

/** `why` says on which way they were lost. Of whom they were is not known; with `atMost` some may be recorded all the same. */
export function lostActs(count: number, why: string, atMost: boolean): EntryDraft {
  return { kind: 'unmediated.lost', actor: { type: 'system', id: WATCH }, trace: null, span: null, data: { count, why, at_most: atMost } };
}

function draft(agent: string, kind: EntryDraft['kind'], data: JsonObject): EntryDraft {
  return { kind, actor: { type: 'agent', id: agent }, trace: null, span: null, data };
}

function at(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
