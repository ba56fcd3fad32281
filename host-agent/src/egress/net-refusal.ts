// SPDX-License-Identifier: Apache-2.0
import type { NetRefusal } from './egress-wire.ts';

// R49's one way to fail: a status, and a JSON body that says which rule refused and what the agent can ask for. Never a hang.

/** What holdfast-egress refuses by itself. Other rules are holdfastd's words, and come with its answers. */
const OWN_RULES = [
  'bad_request',
  'bad_target',
  'internal_address',
  'name_unresolved',
  'host_mismatch',
  'not_declared',
  'method',
  'path',
  'upgrade',
  'placeholder',
  'model_body',
  'tls_name',
  'gate_unavailable',
  'secret_unavailable',
  'secret_locked',
  'too_many',
  'response_limit',
  'response_encoding',
  'quota',
  'cut',
  'deadline',
  'unreachable',
  'upstream_tls',
  'upstream_failed',
] as const;
export type OwnRule = (typeof OWN_RULES)[number];

export function isOwnRule(text: string): text is OwnRule {
  return OWN_RULES.some((rule) => rule === text);
}

export function refusal(rule: OwnRule, message: string, ask: string | null = null, retryAfterMs: number | null = null): NetRefusal {
  return { rule, message, ask, retryAfterMs };
}

/**
 * SDKs wait in silence for as long as Retry-After says (Codex: the day until its budget is free again). What takes longer than this is
 * refused as what waiting does not help, and its body says when there is room.
 */
const LONGEST_WAIT_MS = 120_000;

/** RFC 9110, 15: 403 for what is refused, 429 where waiting helps, 400 for what cannot be read, 502 and 504 for faults of others. */
export function statusOf(refused: NetRefusal): number {
  if (retryAfter(refused) !== null) return 429;
  switch (refused.rule) {
    case 'bad_request':
      return 400;
    case 'upstream_failed':
    case 'upstream_tls':
    case 'response_encoding':
    case 'name_unresolved':
      return 502;
    case 'unreachable':
      return 504;
    default:
      return 403;
  }
}

/** In the shape that SDKs of model APIs show to their users: error.message, and error.type beside it. */
export function refusalBody({ rule, message, ask, retryAfterMs }: NetRefusal): string {
  return `${JSON.stringify({ type: 'error', error: { type: 'holdfast_refused', rule, message: `Holdfast: ${message}`, ask, retryAfterMs } })}\n`;
}

/** Seconds, rounded up; null where waiting helps nothing, or not soon. */
export function retryAfter({ retryAfterMs }: NetRefusal): string | null {
  return retryAfterMs === null || retryAfterMs > LONGEST_WAIT_MS ? null : String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
}
