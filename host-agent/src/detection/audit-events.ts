// SPDX-License-Identifier: Apache-2.0
import { RECORD, type AuditRecord } from './audit-record.ts';

/** All that the kernel said of one event. */
export type AuditEvent = {
  readonly serial: number;
  readonly wallMs: number;
  readonly records: readonly AuditRecord[];
  /** Its end came, and nothing of it was too much to keep. */
  readonly whole: boolean;
};

export type AuditEvents = {
  readonly push: (record: AuditRecord, now: number) => void;
  /** Gives up waiting for the ends of old ones. */
  readonly tick: (now: number) => void;
  /** The lowest number that is still being put together. */
  readonly oldest: () => number | null;
};

/** One event: an exec with 2 MiB of arguments comes as some 500 records, of which the first say all that is kept. */
const MOST_RECORDS = 48;
/** Events whose records come mixed are those of processors that work at the same time. */
const MOST_OPEN = 1024;

const KEPT: ReadonlySet<number> = new Set([RECORD.SYSCALL, RECORD.PATH, RECORD.CWD, RECORD.EXECVE, RECORD.APPARMOR]);

type Open = { readonly wallMs: number; readonly since: number; readonly records: AuditRecord[]; cut: boolean };

/** Puts the records of each event together by their number. `patienceMs` is how long one may lie without its end. */
export function openAuditEvents(onEvent: (event: AuditEvent) => void, patienceMs: number): AuditEvents {
  // In the order of their first records.
  const open = new Map<number, Open>();

  function close(serial: number, ended: boolean): void {
    const event = open.get(serial);
    if (event === undefined) return;
    open.delete(serial);
    onEvent({ serial, wallMs: event.wallMs, records: event.records, whole: ended && !event.cut });
  }

  return {
    push(record, now) {
      const { serial, wallMs, type } = record;
      if (type === RECORD.EOE) return close(serial, true);
      if (!KEPT.has(type)) return;
      const event = open.get(serial) ?? { wallMs, since: now, records: [], cut: false };
      open.set(serial, event);
      if (event.records.length < MOST_RECORDS) event.records.push(record);
      else event.cut = true;
      if (open.size > MOST_OPEN) close([...open.keys()][0]!, false);
    },
    tick(now) {
      for (const [serial, { since }] of open) {
        if (now - since < patienceMs) return;
        close(serial, false);
      }
    },
    oldest: () => (open.size === 0 ? null : Math.min(...open.keys())),
  };
}
