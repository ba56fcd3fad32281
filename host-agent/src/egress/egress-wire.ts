// SPDX-License-Identifier: Apache-2.0
// What holdfast-egress and holdfastd say to each other over `paths.egressDoorSocket` (holdfastd listens, only the uid of holdfast-egress is
// served), and holdfast-egress and holdfast-secretd over `paths.secretUseSocket` (secretd listens, only that uid too). JSON, a value a line.
import type { AgentName, CallId } from '../identity/ids.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { NetPermit } from './net-permit.ts';

/** A model's API, recognised in an inspected request (R26, R82). */
export type ModelAsk = {
  readonly api: 'anthropic-messages' | 'openai-chat' | 'openai-responses';
  readonly model: string;
  /** The most tokens its answer may have, as the request says; null where it says nothing. */
  readonly maxOutputTokens: number | null;
  /** Bytes of the request's body: an upper bound of its input tokens. */
  readonly inputBytes: number;
};

/** One way out, asked for before any packet leaves. */
export type NetAsk = {
  readonly id: number;
  readonly ask: 'open';
  readonly agent: AgentName;
  /** `tunnel`: bytes that nobody reads. `request`: one request of which method, path and headers were read. */
  readonly what: 'tunnel' | 'request';
  readonly host: string;
  readonly port: number;
  readonly method: string | null;
  /** Without its query: what stands there is the agent's data. At most 2048 characters. */
  readonly path: string | null;
  /** Secrets whose placeholder stands in the request, each bound to this agent and host. */
  readonly secrets: readonly string[];
  readonly model: ModelAsk | null;
  /** Upgrade: of the request, `websocket` or null. */
  readonly upgrade: string | null;
};

/** A way of holdfast-secretd to a source of values, which holdfastd does not judge, but records before a packet leaves. */
export type SourceWay = { readonly id: number; readonly ask: 'source'; readonly source: string; readonly host: string; readonly port: number; readonly address: string | null };

/** Why not, in words an agent can act on. Becomes the JSON body of the 403 (or 429 when it says to try again soon). */
export type NetRefusal = {
  readonly rule: string;
  readonly message: string;
  /** The capability to ask for with authority.request; null where asking helps nothing. */
  readonly ask: string | null;
  readonly retryAfterMs: number | null;
};

export type NetAnswer =
  | { readonly id: number; readonly ok: true; readonly permit: NetPermit; readonly receipt: Receipt; readonly limits: { readonly bytesUp: number; readonly bytesDown: number } }
  | { readonly id: number; readonly ok: false; readonly refusal: NetRefusal };

/** What a model's response said it cost, or what it is charged where it said nothing. Tokens. */
export type ModelUsage = {
  readonly model: string;
  readonly input: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly output: number;
  /** False: the response named no usage, and these are the request's own ceiling. */
  readonly said: boolean;
};

/** The end of what was allowed, told once; holdfastd records it. */
export type NetEnd = {
  readonly tell: 'ended';
  readonly call: CallId;
  readonly how: 'ok' | 'cut' | 'deadline' | 'quota' | 'unreachable' | 'refused' | 'failed';
  /** HTTP status of an inspected request. */
  readonly status: number | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** The address it was connected to. */
  readonly address: string | null;
  readonly usage: ModelUsage | null;
  /** In short, where `how` is not `ok`. */
  readonly why: string | null;
};

/**
 * What holdfast-egress refused by itself before anybody was asked: there is no permit, and no intent that this could be the outcome of.
 * Rule, and where to if that could be read; nothing else of what the agent wrote.
 */
export type NetTurnedAway = {
  readonly tell: 'refused';
  readonly agent: AgentName;
  /** One of `OwnRule`. */
  readonly rule: string;
  readonly host: string | null;
  readonly port: number | null;
  /** So many of one rule; then without a place. */
  readonly count: number;
};

/** holdfastd to holdfast-egress, unasked: the authority for this has ended. */
export type NetCut = { readonly cut: CallId; readonly why: string };

/** holdfast-egress to holdfast-secretd. One value for one recorded permit. */
export type SecretAsk = { readonly id: number; readonly ask: 'use'; readonly name: string; readonly permit: NetPermit; readonly receipt: Receipt };
export type SecretAnswer =
  | { readonly id: number; readonly ok: true; readonly value: string }
  | { readonly id: number; readonly ok: false; readonly rule: 'locked' | 'not_bound' | 'receipt' | 'expired' | 'source'; readonly why: string };
