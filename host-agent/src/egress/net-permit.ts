// SPDX-License-Identifier: Apache-2.0
import type { AgentName, CallId } from '../identity/ids.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';

/**
 * An allow that holdfast-egress acts on, and that holdfast-secretd hands out a secret for: one tunnel, or one request. The ledger's
 * receipt is over its digest, as with the permit of a call: who holds only this, without a receipt, was not judged on record.
 */
export type NetPermit = {
  readonly v: 1;
  readonly kind: 'net';
  readonly call: CallId;
  readonly agent: AgentName;
  /** As it was judged: lower case, no final dot; never an address that R18 refuses. */
  readonly host: string;
  readonly port: number;
  /** Names of the secrets that may be put into this one request; none for a tunnel. */
  readonly secrets: readonly string[];
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly notAfter: number;
};

export function netPermitDigest(permit: NetPermit): string {
  return sha256Hex(canonicalJson(permit));
}
