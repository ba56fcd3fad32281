// SPDX-License-Identifier: Apache-2.0
import type { PostureFact } from '../door/operator-wire.ts';
import type { Io } from './io.ts';
import { withLedger } from './with-ledger.ts';

/** holdfastd writes to the ledger and may not read it, so the operator's own program asks. */
export async function ledgerFacts(io: Io): Promise<readonly PostureFact[]> {
  const head = await withLedger(io, (ledger) => ledger.head());
  if (!head.ok) return [{ name: 'ledger', state: 'bad', detail: head.error }, { name: 'receipt key', state: 'bad', detail: 'cannot be read' }];
  const { seq, hash, keyProtection, problem } = head.value;
  const detail = problem === null ? `${seq} entries, head ${hash.slice(0, 16)}` : `it takes no entries: ${problem}`;
  return [
    { name: 'ledger', state: problem === null ? 'good' : 'bad', detail },
    // A file is all there is until a key can be bound to the machine; whoever has the disk has it.
    { name: 'receipt key', state: 'bad', detail: `kept in a ${keyProtection}: root, and whoever has the disk, can read it` },
  ];
}
