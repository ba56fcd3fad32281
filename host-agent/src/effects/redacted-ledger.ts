// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { LedgerPort } from '../tool-call/ports.ts';
import { redactedLedger, type RedactPort } from '../tool-call/redact.ts';
import { keptValue } from './kept-value.ts';
import { connectLedger } from './ledger-client.ts';
import type { Paths } from './paths.ts';
import { connectRedactor, onceOpen } from './redact-client.ts';

/** What a writer writes to, and who removes secrets from what it writes. `runtime`: its folder of this boot. */
export function openRedactedLedger(paths: Paths, runtime: string, boot: string): { readonly ledger: LedgerPort; readonly redact: RedactPort; readonly close: () => void } {
  const line = connectLedger(paths.ledgerAppendSocket);
  const redact = connectRedactor(paths.secretRedactSocket, paths.secretBindings, onceOpen(keptValue(join(runtime, 'secrets-were-open.json'), boot, false)));
  return {
    ledger: redactedLedger(line, redact),
    redact,
    close: () => {
      line.close();
      redact.close();
    },
  };
}
