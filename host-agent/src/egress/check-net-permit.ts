// SPDX-License-Identifier: Apache-2.0
import { parseAgentName, type AgentName, type CallId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import { canonicalJson } from '../ledger/encode.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { isReceiptValid, parseReceipt, type Receipt } from '../ledger/receipt.ts';
import { checkFields, isCount, isObject } from '../ledger/shape.ts';
import { parseHost } from './host.ts';
import type { NetPermit } from './net-permit.ts';

/** What holdfast-egress knows by itself. */
export type NetFacts = {
  readonly receiptKey: Parameters<typeof isReceiptValid>[1];
  readonly boot: string;
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly now: number;
};

export type CheckedPermit = { readonly permit: NetPermit; readonly receipt: Receipt };

const FIELDS = ['v', 'kind', 'call', 'agent', 'host', 'port', 'secrets', 'notAfter'];

/** No receipt, no packet (E06): what goes out is what holdfast-ledger has on disk, in this boot, in time. */
export function checkNetPermit(sent: { readonly permit: JsonValue; readonly receipt: JsonValue }, facts: NetFacts): Result<CheckedPermit> {
  const receipt = parseReceipt(sent.receipt);
  if (!receipt.ok) return receipt;
  const { boot, agent, permit: digest, notAfter } = receipt.value;
  if (!isReceiptValid(receipt.value, facts.receiptKey)) return refuse('the ledger did not sign this receipt');
  if (boot !== facts.boot) return refuse('the receipt is of another boot');
  // Hashed as it came: parsing first could make two permits one.
  if (digestOf(sent.permit) !== digest) return refuse('the receipt is for another permit');
  const permit = parseNetPermit(sent.permit);
  if (!permit.ok) return permit;
  if (permit.value.agent !== agent || permit.value.notAfter !== notAfter) return refuse('permit and receipt name another agent or another end');
  if (facts.now >= notAfter) return refuse('the time this was permitted for is over; ask again');
  return accept({ permit: permit.value, receipt: receipt.value });
}

export function parseNetPermit(value: JsonValue): Result<NetPermit> {
  if (!isObject(value)) return refuse('a permit must be an object');
  const fields = checkFields(value, FIELDS);
  if (!fields.ok) return refuse(`permit: ${fields.error}`);
  const { v, kind, call, agent, host, port, secrets, notAfter } = value;
  if (v !== 1 || kind !== 'net') return refuse('permit: of another kind or version');
  if (typeof call !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(call)) return refuse('permit: call is not an id');
  const name = parseAgentName(typeof agent === 'string' ? agent : '');
  if (!name.ok) return refuse(`permit: ${name.error}`);
  const place = parseHost(typeof host === 'string' ? host : '');
  if (!place.ok || place.value !== host) return refuse('permit: the host is not in its one spelling');
  if (!isCount(port) || port > 65_535) return refuse('permit: port');
  if (!Array.isArray(secrets) || secrets.length > 64 || !secrets.every((s) => typeof s === 'string' && /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(s))) return refuse('permit: secrets');
  if (!isCount(notAfter)) return refuse('permit: notAfter');
  return accept({ v: 1, kind: 'net', call: call as CallId, agent: name.value as AgentName, host: place.value, port, secrets: secrets as string[], notAfter });
}

/** Null for a value that has no canonical bytes; no receipt is for such a one. */
function digestOf(value: JsonValue): string | null {
  try {
    return sha256Hex(canonicalJson(value));
  } catch {
    return null;
  }
}
