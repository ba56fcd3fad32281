// SPDX-License-Identifier: Apache-2.0
import { formatCapability } from '../capability/capability.ts';
import type { Grant, GrantEnd } from '../capability/grant.ts';
import type { AuthorityRequest } from '../capability/request-book.ts';
import type { Actor, EntryDraft, EntryKind, JsonObject } from '../ledger/entry.ts';
import { boundedArguments } from './arguments.ts';
import type { Outcome } from './carry-out.ts';
import type { Allowed, Refused } from './judge-call.ts';
import type { RecordedIntent } from './recorded-permit.ts';
import type { ToolCall } from './tool-call.ts';

// The bodies of entries about calls and grants, written by the code that acts (R54). Field names are the ledger's format.

/** `points`: the restore points that were made before it; it can be undone as long as they are there. */
export function callIntent(call: ToolCall, judged: Allowed, points: readonly string[]): EntryDraft {
  const { decision, act } = judged;
  return ofCall('call.intent', call, {
    call: call.id,
    session: call.session,
    agent: call.agent.name,
    tool: judged.tool.name,
    arguments: boundedArguments(judged.tool.recorded?.(judged.arguments) ?? judged.arguments),
    arguments_digest: judged.argumentsDigest,
    capabilities: judged.needs.map(formatCapability),
    grants: decision.grantsUsed.map((grant) => grant.id),
    rule: decision.rule,
    permit_digest: act.runs === 'sandbox' || act.runs === 'fetch' ? act.permitDigest : null,
    not_after: decision.notAfter,
    mode: call.agent.mode,
    restore: points,
  });
}

export function callRefused(call: ToolCall, judged: Refused): EntryDraft {
  return ofCall('call.refused', call, {
    call: call.id,
    session: call.session,
    agent: call.agent.name,
    tool: toolName(call.tool),
    arguments_digest: judged.argumentsDigest,
    capabilities: judged.needs.map(formatCapability),
    missing: judged.missing,
    rule: judged.rule,
    // Cut text may end in half a character, which the ledger's encoding refuses.
    remedy: judged.remedy.toWellFormed(),
    mode: call.agent.mode,
  });
}

export function callOutcome(call: ToolCall, judged: Allowed, intent: RecordedIntent, outcome: Outcome, durationMs: number): EntryDraft {
  return ofCall('call.outcome', call, {
    call: call.id,
    intent: intent.seq,
    agent: call.agent.name,
    tool: judged.tool.name,
    status: outcome.status,
    exit: outcome.exit,
    output_digest: outcome.outputDigest,
    observed: outcome.observed,
    duration_ms: durationMs,
    mode: call.agent.mode,
  });
}

export function grantRequested(call: ToolCall, request: AuthorityRequest): EntryDraft {
  return ofCall('grant.requested', call, {
    request: request.id,
    agent: request.agent,
    capability: formatCapability(request.capability),
    for_ms: request.forMs,
    reason: request.reason,
  });
}

export function grantGiven(actor: Actor, grant: Grant, forMs: number): EntryDraft {
  return plainDraft('grant.given', actor, {
    grant: grant.id,
    agent: grant.agent,
    capability: formatCapability(grant.capability),
    for_ms: forMs,
    uses: grant.usesLeft,
    reason: grant.reason,
    granted_by: grant.grantedBy,
  });
}

export function grantEnded(actor: Actor, grant: Grant, how: GrantEnd): EntryDraft {
  return plainDraft('grant.ended', actor, { grant: grant.id, agent: grant.agent, capability: formatCapability(grant.capability), how });
}

function ofCall(kind: EntryKind, call: ToolCall, data: JsonObject): EntryDraft {
  const actor: Actor = { type: 'agent', id: call.agent.name };
  return { kind, actor, trace: call.trace?.trace ?? null, span: call.trace?.span ?? null, data };
}

function plainDraft(kind: EntryKind, actor: Actor, data: JsonObject): EntryDraft {
  return { kind, actor, trace: null, span: null, data };
}

/** A name that no tool can have is kept short and quoted, so that it never passes for a tool's (A05). */
function toolName(name: string): string {
  return /^[a-z0-9_.-]{1,64}$/.test(name) ? name : JSON.stringify(name.slice(0, 64));
}
