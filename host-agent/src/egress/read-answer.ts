// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { checkFields, isObject } from '../ledger/shape.ts';
import { checkNetPermit, type CheckedPermit, type NetFacts } from './check-net-permit.ts';
import type { NetAsk, NetCut, NetRefusal } from './egress-wire.ts';
import { refusal } from './net-refusal.ts';

export type Allowed = CheckedPermit & { readonly limits: { readonly bytesUp: number; readonly bytesDown: number } };
export type ReadAnswer = { readonly ok: true; readonly value: Allowed } | { readonly ok: false; readonly refusal: NetRefusal };

/** Holdfastd's answer, believed as far as the ledger has signed it, and only for what was asked. */
export function readAnswer(answer: JsonObject, asked: Omit<NetAsk, 'id'>, facts: NetFacts): ReadAnswer {
  if (answer['ok'] === false) return { ok: false, refusal: readRefusal(answer['refusal']) ?? unreadable('its refusal has not the agreed form') };
  const fields = checkFields(answer, ['id', 'ok', 'permit', 'receipt', 'limits']);
  const limits = readLimits(answer['limits']);
  if (!fields.ok || answer['ok'] !== true || limits === null) return { ok: false, refusal: unreadable('it has not the agreed form') };
  const checked = checkNetPermit({ permit: answer['permit'] ?? null, receipt: answer['receipt'] ?? null }, facts);
  if (!checked.ok) return { ok: false, refusal: unreadable(checked.error) };
  const { agent, host, port, secrets } = checked.value.permit;
  const same = agent === asked.agent && host === asked.host && port === asked.port;
  if (!same || secrets.length !== asked.secrets.length || !asked.secrets.every((name) => secrets.includes(name))) return { ok: false, refusal: unreadable('its permit is for something else') };
  return { ok: true, value: { ...checked.value, limits } };
}

export function readCut(value: JsonObject): Result<NetCut> {
  const { cut, why } = value;
  if (typeof cut !== 'string' || typeof why !== 'string') return refuse('no cut');
  return accept({ cut: cut as NetCut['cut'], why: why.slice(0, 500) });
}

function readRefusal(value: JsonValue | undefined): NetRefusal | null {
  if (!isObject(value)) return null;
  const { rule, message, ask, retryAfterMs } = value;
  if (typeof rule !== 'string' || typeof message !== 'string' || (ask !== null && typeof ask !== 'string')) return null;
  if (retryAfterMs !== null && (typeof retryAfterMs !== 'number' || retryAfterMs < 0)) return null;
  return { rule, message, ask, retryAfterMs };
}

function readLimits(value: JsonValue | undefined): Allowed['limits'] | null {
  if (!isObject(value)) return null;
  const { bytesUp, bytesDown } = value;
  return isAmount(bytesUp) && isAmount(bytesDown) ? { bytesUp, bytesDown } : null;
}

function isAmount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function unreadable(why: string): NetRefusal {
  return refusal('gate_unavailable', `nothing may go out: the answer of the judge was not usable, for ${why}; tell an operator`);
}
