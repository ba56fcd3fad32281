// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { headOf, nextEntry, type ChainHead, type SealedEntry } from './chain.ts';
import { clockJump, type ClockReading } from './clock-jump.ts';
import type { EntryDraft, JsonObject } from './entry.ts';
import { UNKNOWN_APPEND, type LedgerStore } from './ledger-store.ts';
import { LEDGER_SOURCE, mayWrite } from './source.ts';
import { uuid7 } from './uuid7.ts';

export type QueuePorts = {
  readonly store: LedgerStore;
  readonly clock: () => ClockReading;
  /** Fresh random bytes for one id. */
  readonly random: () => Uint8Array;
  /** Runs a function after everything that has already arrived was read. */
  readonly later: (run: () => void) => void;
  readonly onCommit: (batch: readonly SealedEntry[]) => void;
  /** What is known of the clocks before now; null in an empty ledger. */
  readonly last: ClockReading | null;
};

export type AppendQueue = {
  /** `answer` is called once: after the entry is on disk, or with the reason why it is not. */
  readonly push: (source: string, draft: EntryDraft, answer: (result: Result<SealedEntry>) => void) => void;
  /** Commits what waits, now. */
  readonly flush: () => void;
};

type Waiting = { readonly source: string; readonly draft: EntryDraft; readonly answer: (result: Result<SealedEntry>) => void };

/** The most in one transaction. Bounds how long one commit keeps everybody waiting. */
const MAX_BATCH = 512;

/**
 * Group commit: while one transaction is being made durable, requests gather; they all go into the next one. So the number
 * of disk flushes follows the disk, not the number of writers, and nobody is answered before the flush.
 */
export function appendQueue(ports: QueuePorts): AppendQueue {
  const { store } = ports;
  let waiting: Waiting[] = [];
  let scheduled = false;
  let lastReading = ports.last;

  function push(source: string, draft: EntryDraft, answer: Waiting['answer']): void {
    if (!mayWrite(source, draft.kind)) return answer(refuse(`${source} may not write entries of kind ${draft.kind}`));
    waiting.push({ source, draft, answer });
    schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    ports.later(() => {
      scheduled = false;
      commit();
      if (waiting.length > 0) schedule();
    });
  }

  function commit(): void {
    const batch = waiting.slice(0, MAX_BATCH);
    waiting = waiting.slice(MAX_BATCH);
    if (batch.length === 0) return;
    const reading = ports.clock();
    const jump = clockJump(lastReading, reading);
    const work = jump === null ? batch : [ownEntry('clock.jumped', jump), ...batch];
    const unanswered = new Set(work);
    let sealed: readonly Sealed[];
    try {
      sealed = seal(work, reading, unanswered);
      store.append(sealed.map(({ entry }) => entry));
    } catch (fault) {
      const error = unrecorded(fault);
      for (const { answer } of unanswered) answer(refuse(error));
      return;
    }
    lastReading = reading;
    for (const { answer, entry } of sealed) answer(accept(entry));
    if (sealed.length > 0) ports.onCommit(sealed.map(({ entry }) => entry));
  }

  /** An entry that cannot be written is refused by itself; the others of the batch go on. */
  function seal(work: readonly Waiting[], reading: ClockReading, unanswered: Set<Waiting>): readonly Sealed[] {
    const sealed: Sealed[] = [];
    const counts = new Map(store.counts());
    let head: ChainHead = store.head();
    for (const waiter of work) {
      const { source, draft, answer } = waiter;
      const sourceSeq = (counts.get(source) ?? 0) + 1;
      const stamp = { id: uuid7(reading.wallMs, ports.random()), source, sourceSeq, time: new Date(reading.wallMs).toISOString() };
      const next = nextEntry(head, draft, stamp);
      if (!next.ok) {
        unanswered.delete(waiter);
        answer(next);
        continue;
      }
      counts.set(source, sourceSeq);
      head = headOf(next.value);
      sealed.push({ answer, entry: next.value });
    }
    return sealed;
  }

  function flush(): void {
    while (waiting.length > 0) commit();
  }

  return { push, flush };
}

type Sealed = { readonly answer: (result: Result<SealedEntry>) => void; readonly entry: SealedEntry };

/** Begins an answer that does not tell whether the entry is recorded. */
export const UNKNOWN = 'ledger_unknown';

function unrecorded(fault: unknown): string {
  const why = fault instanceof Error ? fault.message : String(fault);
  const unknown = fault instanceof Error && (fault as { code?: unknown }).code === UNKNOWN_APPEND;
  return unknown ? `${UNKNOWN}: ${why}` : `ledger_unavailable: nothing was recorded; ${why}`;
}

/** What the ledger says of itself. */
export function ownDraft(kind: 'boot' | 'clock.jumped', data: JsonObject): EntryDraft {
  return { kind, actor: { type: 'system', id: LEDGER_SOURCE }, trace: null, span: null, data };
}

function ownEntry(kind: 'boot' | 'clock.jumped', data: JsonObject): Waiting {
  return { source: LEDGER_SOURCE, draft: ownDraft(kind, data), answer: () => {} };
}
