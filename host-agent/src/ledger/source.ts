// SPDX-License-Identifier: Apache-2.0
import type { EntryKind, JsonValue } from './entry.ts';

const SOURCE = /^[a-z][a-z0-9-]{0,30}$/;

export function isSource(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && SOURCE.test(value);
}

/** What the ledger writes of itself: boots and jumps of the clock. */
export const LEDGER_SOURCE = 'holdfast-ledger';

/** Of root's processes, holdfast-declare and holdfast-seed write; nothing they do is a call, a session or a grant. */
const ROOT_KINDS: ReadonlySet<EntryKind> = new Set<EntryKind>(['configuration.changed', 'seed.claimed', 'seed.ignored']);
const OWN_KINDS: ReadonlySet<EntryKind> = new Set<EntryKind>(['boot', 'clock.jumped']);

/** R103: what contained agents did by themselves is the word of the process that reads the kernel's record, and of no other. */
const WATCH_KINDS: ReadonlySet<EntryKind> = new Set<EntryKind>(['unmediated.exec', 'unmediated.file', 'unmediated.counted', 'unmediated.lost']);

/** Of secrets, and of who knocked at their door: the word of the process that holds them. */
const SECRET_KINDS: ReadonlySet<EntryKind> = new Set<EntryKind>(['secret.used', 'secret.read', 'secret.changed', 'secret.unlocked', 'secret.closed']);

/** A writer can only say what is its own to say; in particular nobody but the ledger can claim a boot. */
export function mayWrite(source: string, kind: EntryKind): boolean {
  switch (source) {
    case LEDGER_SOURCE:
      return OWN_KINDS.has(kind);
    case 'root':
      return ROOT_KINDS.has(kind);
    case 'holdfastd':
      return !OWN_KINDS.has(kind) && !WATCH_KINDS.has(kind) && !SECRET_KINDS.has(kind);
    case 'holdfast-watch':
      return WATCH_KINDS.has(kind);
    case 'holdfast-secretd':
      return SECRET_KINDS.has(kind) || kind === 'door.refused';
    default:
      return false;
  }
}
