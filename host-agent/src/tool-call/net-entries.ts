// SPDX-License-Identifier: Apache-2.0
import { formatCapability } from '../capability/capability.ts';
import type { NetAsk, NetEnd, NetTurnedAway, SourceWay } from '../egress/egress-wire.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName, CallId } from '../identity/ids.ts';
import type { EntryDraft, EntryKind, JsonObject } from '../ledger/entry.ts';
import type { Amounts } from '../usage/account.ts';
import type { Charge } from '../usage/spending.ts';
import type { NetAllowed, NetRefused } from './judge-net.ts';

// The bodies of entries about ways out. Field names are the ledger's format. Never a query, a body or a value of a secret.

export function netIntent(call: CallId, agent: AgentAuthority, ask: NetAsk, judged: NetAllowed, reserved: Amounts): EntryDraft {
  const { decision } = judged;
  return ofAgent('net.intent', agent.name, {
    call,
    agent: agent.name,
    ...asked(ask),
    capabilities: judged.needs.map(formatCapability),
    grants: decision.grantsUsed.map(({ id }) => id),
    rule: decision.rule,
    reserved: { cost_micros: reserved.cost, tokens: reserved.tokens, bytes: reserved.bytes },
    permit_digest: judged.permitDigest,
    not_after: decision.notAfter,
    mode: agent.mode,
  });
}

export function sourceWay({ source, host, port, address }: Omit<SourceWay, 'id'>): EntryDraft {
  return { kind: 'secret.way', actor: { type: 'system', id: 'holdfast-egress' }, trace: null, span: null, data: { source, host, port, address } };
}

export function netRefused(agent: AgentName, ask: NetAsk, judged: NetRefused): EntryDraft {
  const { refusal } = judged;
  return ofAgent('net.refused', agent, {
    agent,
    ...asked(ask),
    capabilities: judged.needs.map(formatCapability),
    missing: judged.missing,
    rule: refusal.rule,
    remedy: refusal.message,
    count: 1,
  });
}

/** Of a flood: how often a rule refused, without each. */
export function netRefusedMore(agent: AgentName, rule: string, count: number): EntryDraft {
  return ofAgent('net.refused', agent, { agent, host: null, rule, count });
}

/** Refused by holdfast-egress itself, which asked nobody: what could not be read, or what the agent's file rules out. */
export function netTurnedAway({ agent, host, port, rule, count }: NetTurnedAway): EntryDraft {
  return ofAgent('net.refused', agent, { agent, host, port, rule, count, by: 'holdfast-egress' });
}

/** `lost`: nobody can say what became of it. */
export type Ended =
  | Omit<NetEnd, 'tell' | 'call'>
  | (Omit<NetEnd, 'tell' | 'call' | 'how' | 'bytesUp' | 'bytesDown'> & { readonly how: 'lost'; readonly bytesUp: null; readonly bytesDown: null });

export function lost(why: string): Extract<Ended, { readonly how: 'lost' }> {
  return { how: 'lost', status: null, bytesUp: null, bytesDown: null, address: null, usage: null, why };
}

/** What is known of the beginning of what ended. */
export type Begun = { readonly call: CallId; readonly agent: AgentName; readonly seq: number | null; readonly host: string | null; readonly port: number | null };

export function netOutcome({ call, agent, seq, host, port }: Begun, end: Ended, charge: Charge, durationMs: number | null): EntryDraft {
  const { usage } = end;
  return ofAgent('net.outcome', agent, {
    call,
    intent: seq,
    agent,
    host,
    port,
    status: end.how,
    http_status: end.status,
    bytes_up: end.bytesUp,
    bytes_down: end.bytesDown,
    address: end.address,
    usage: usage === null ? null : { model: usage.model, input: usage.input, cached_input: usage.cachedInput, cache_write: usage.cacheWrite, output: usage.output, said: usage.said },
    cost_micros: charge.basis === 'no model' || !charge.priced ? null : charge.amounts.cost,
    tokens: charge.basis === 'no model' ? null : charge.amounts.tokens,
    charged: charge.basis,
    why: end.why,
    duration_ms: durationMs,
  });
}

function asked(ask: NetAsk): JsonObject {
  const { what, host, port, method, path, secrets, model, upgrade } = ask;
  const of = model === null ? null : { api: model.api, model: model.model, max_output_tokens: model.maxOutputTokens, input_bytes: model.inputBytes };
  return { what, host, port, method, path, secrets, model: of, upgrade };
}

function ofAgent(kind: EntryKind, agent: AgentName, data: JsonObject): EntryDraft {
  return { kind, actor: { type: 'agent', id: agent }, trace: null, span: null, data };
}
