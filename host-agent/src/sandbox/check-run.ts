// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { isReceiptValid, parseReceipt, type Receipt } from '../ledger/receipt.ts';
import { parsePermit } from './parse-permit.ts';
import type { Permit } from './permit.ts';

/** Why a runner did not run a call. */
export type RunRefusal =
  | 'receipt_signature'
  | 'receipt_boot'
  | 'receipt_agent'
  | 'receipt_permit'
  | 'receipt_late'
  | 'receipt_reused'
  | 'stdin_digest'
  | 'busy'
  | 'secret'
  | 'sandbox'
  | 'label'
  | 'filter';

/** A permit as the ledger has it on record. */
export type Recorded = { readonly permit: Permit; readonly receipt: Receipt };
export type RunCheck =
  | ({ readonly ok: true } & Recorded)
  | { readonly ok: false; readonly error: RunRefusal; readonly message: string };

/** As it came over the socket. */
export type SentRun = { readonly permit: JsonValue; readonly receipt: JsonValue };

/** What the runner knows by itself. */
export type RunnerFacts = {
  readonly agent: AgentName;
  readonly receiptKey: Parameters<typeof isReceiptValid>[1];
  readonly boot: string;
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly now: number;
};

/**
 * No receipt, no run (E06): what is to be run must be what holdfast-ledger has on disk, for this agent, in this boot, in time.
 * Whether the receipt was used before is the caller's to ask, last: a receipt is used up only by a call that would otherwise run.
 */
export function checkRun(sent: SentRun, stdin: Uint8Array | null, facts: RunnerFacts): RunCheck {
  const checked = checkRecorded(sent, facts);
  if (!checked.ok || isStdin(checked.permit, stdin)) return checked;
  return refused('stdin_digest', 'the input is not the one that was recorded');
}

/** The same for who does not have the input: holdfast-secretd. */
export function checkRecorded(sent: SentRun, facts: RunnerFacts): RunCheck {
  const receipt = parseReceipt(sent.receipt);
  if (!receipt.ok) return refused('receipt_signature', receipt.error);
  const { boot, agent, permit: digest, notAfter } = receipt.value;
  if (!isReceiptValid(receipt.value, facts.receiptKey)) return refused('receipt_signature', 'the ledger did not sign this receipt');
  if (boot !== facts.boot) return refused('receipt_boot', 'the receipt is of another boot');
  if (agent !== facts.agent) return refused('receipt_agent', `the receipt is for agent ${agent}, this runner is for ${facts.agent}`);
  // Hashed as it came: parsing first could make two permits one.
  if (digestOf(sent.permit) !== digest) return refused('receipt_permit', 'the receipt is for another permit');
  const permit = parsePermit(sent.permit);
  if (!permit.ok) return refused('receipt_permit', permit.error);
  if (permit.value.agent !== agent) return refused('receipt_agent', `the permit is for agent ${permit.value.agent}`);
  if (permit.value.notAfter !== notAfter) return refused('receipt_permit', 'permit and receipt end at different times');
  if (facts.now >= notAfter) return refused('receipt_late', 'the time this call was permitted for is over; ask again');
  return { ok: true, permit: permit.value, receipt: receipt.value };
}

function isStdin(permit: Permit, stdin: Uint8Array | null): boolean {
  if (permit.stdin === null || stdin === null) return permit.stdin === null && stdin === null;
  return stdin.length === permit.stdin.size && sha256Hex(stdin) === permit.stdin.digest;
}

/** null for a value that has no canonical bytes; no receipt is for such a one. */
function digestOf(value: JsonValue): string | null {
  try {
    return sha256Hex(canonicalJson(value));
  } catch {
    return null;
  }
}

function refused(error: RunRefusal, message: string): RunCheck {
  return { ok: false, error, message };
}
