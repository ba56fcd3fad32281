// SPDX-License-Identifier: Apache-2.0
import type { NetPermit } from '../egress/net-permit.ts';
import type { AgentName, CallId } from '../identity/ids.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { Permit } from '../sandbox/permit.ts';
import type { Appended } from './ports.ts';

declare const recorded: unique symbol;

/** A call whose intent is in the ledger. Only this file makes one, so that acting before recording does not compile (E06). */
export type RecordedIntent = {
  readonly [recorded]: true;
  readonly call: CallId;
  readonly agent: AgentName;
  /** Sequence of the call.intent entry. */
  readonly seq: number;
};

/** A permit with the receipt that a runner demands. */
export type RecordedPermit = RecordedIntent & { readonly permit: Permit; readonly receipt: Receipt };

export function recordedIntent(call: CallId, agent: AgentName, appended: Appended): RecordedIntent {
  return { call, agent, seq: appended.seq } as RecordedIntent;
}

/** The same for a way out. */
export type RecordedNetPermit = RecordedIntent & { readonly permit: NetPermit; readonly receipt: Receipt };

export function recordedNetPermit(permit: NetPermit, digest: string, appended: Appended): RecordedNetPermit {
  return { ...recordedIntent(permit.call, permit.agent, appended), permit, receipt: receiptOf(permit, digest, appended) } as RecordedNetPermit;
}

/** Throws when the ledger's answer is not for this permit: that is a fault of ours or of the ledger, and nothing runs. */
export function recordedPermit(permit: Permit, digest: string, appended: Appended): RecordedPermit {
  return { ...recordedIntent(permit.call, permit.agent, appended), permit, receipt: receiptOf(permit, digest, appended) } as RecordedPermit;
}

function receiptOf(permit: { readonly agent: AgentName; readonly notAfter: number }, digest: string, appended: Appended): Receipt {
  const { receipt } = appended;
  if (receipt === null) throw new Error('the ledger gave no receipt for a permit');
  const samePermit = receipt.permit === digest && receipt.agent === permit.agent && receipt.notAfter === permit.notAfter;
  if (!samePermit || receipt.seq !== appended.seq) throw new Error('the ledger gave a receipt for another permit');
  return receipt;
}
