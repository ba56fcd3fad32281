// SPDX-License-Identifier: Apache-2.0
import type { LedgerClient } from '../effects/ledger-client.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { Actor, EntryKind, JsonObject } from '../ledger/entry.ts';

/** Resolves when the entry is on disk, or with why it is not. What is not on record does not happen. */
export type Record = (kind: EntryKind, actor: Actor, data: JsonObject) => Promise<Result<unknown>>;

export const SELF: Actor = { type: 'system', id: 'holdfast-secretd' };

export function recorder(ledger: LedgerClient): Record {
  return (kind, actor, data) => ledger.append({ kind, actor, trace: null, span: null, data }, null).catch((fault: Error) => refuse(fault.message));
}
