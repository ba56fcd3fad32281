// SPDX-License-Identifier: Apache-2.0
import { queryLedger, type LedgerReader } from '../effects/ledger-client.ts';
import { unreachable } from '../effects/operator-client.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { styled } from './screen.ts';

/** Whatever keeps the ledger from answering is a reason in words here, not a fault of the command. */
export async function withLedger<T>(io: Io, act: (ledger: LedgerReader) => Promise<T>): Promise<Result<T>> {
  const path = io.paths.ledgerQuerySocket;
  let ledger: LedgerReader;
  try {
    ledger = await queryLedger(path);
  } catch (fault) {
    return refuse(unreachable(fault as NodeJS.ErrnoException, path));
  }
  try {
    return accept(await act(ledger));
  } catch (fault) {
    return refuse(`cannot read the ledger: ${fault instanceof Error ? fault.message : String(fault)}`);
  } finally {
    ledger.close();
  }
}

export function unavailable(io: Io, error: string): ExitCode {
  io.screen.complain(styled('unavailable: ', 'red'), error);
  return EXIT.unavailable;
}
