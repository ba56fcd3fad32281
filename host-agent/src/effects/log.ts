// SPDX-License-Identifier: Apache-2.0
import pino from 'pino';

// For operators, through the journal; what must be provable goes into the ledger. Never an argument of a call, never a secret:
// callers pass names and counts.

export type Log = {
  info(facts: LogFacts, message: string): void;
  warn(facts: LogFacts, message: string): void;
  error(facts: LogFacts, message: string): void;
};
export type LogFacts = Readonly<Record<string, string | number | boolean | null>>;

export function logOf(role: string): Log {
  // A transport would be a worker thread with a file of its own, which a single executable has not.
  return pino({ base: { role }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
}
