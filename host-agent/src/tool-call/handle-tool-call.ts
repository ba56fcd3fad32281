// SPDX-License-Identifier: Apache-2.0
import type { Result } from '../identity/result.ts';
import type { EntryDraft } from '../ledger/entry.ts';
import type { ToolReply } from '../tools/tool.ts';
import { carryOut } from './carry-out.ts';
import { callIntent, callOutcome, callRefused } from './entries.ts';
import { judgeCall, refusedForEndedGrant, type Allowed, type Judged } from './judge-call.ts';
import type { Appended, PermitStamp, ToolCallPorts } from './ports.ts';
import { recordedIntent } from './recorded-permit.ts';
import { refusedReply, unavailableReply, unrecordedReply } from './replies.ts';
import type { ToolCall } from './tool-call.ts';

/**
 * START READING HERE. The life of one tool call, from a door's hands to the reply. Everything that an agent does to the
 * machine through us passes this function, and nothing passes it without being judged and recorded first:
 *
 *   judge → spend → record intent → run → record outcome → reply
 */
export async function handleToolCall(call: ToolCall, ports: ToolCallPorts): Promise<ToolReply> {
  // Judged and spent in one turn: no other call can come between and use the same last use (A25).
  const judged = spend(call, judgeCall(call, ports), ports);

  if (judged.verdict === 'deny') {
    const refusal = await record(ports, callRefused(call, judged), null);
    return refusal.ok ? refusedReply(judged) : unavailableReply();
  }

  // No receipt, no run. A crash after this line leaves an intent without an outcome, for all to see.
  const intent = await record(ports, callIntent(call, judged), stampOf(judged));
  if (!intent.ok) return unavailableReply();

  const begun = ports.clock.now();
  const outcome = await carryOut(call, judged, intent.value, ports);

  const onRecord = recordedIntent(call.id, call.agent.name, intent.value);
  const end = await record(ports, callOutcome(call, judged, onRecord, outcome, ports.clock.now() - begun), null);
  return end.ok ? outcome.reply : unrecordedReply(onRecord);
}

/** A use is spent by an allowed call even when it then cannot be recorded: giving it back could give it twice. */
function spend(call: ToolCall, judged: Judged, ports: ToolCallPorts): Judged {
  if (judged.verdict === 'deny' || judged.decision.grantsUsed.length === 0) return judged;
  const spent = ports.grants.spend(call.agent.name, judged.decision.grantsUsed, ports.clock.now());
  return spent.ok ? judged : refusedForEndedGrant(judged, spent.error);
}

/** What the receipt will bind: this permit, this agent, this end. A call that starts no process has none. */
function stampOf({ act }: Allowed): PermitStamp | null {
  if (act.runs !== 'sandbox') return null;
  return { digest: act.permitDigest, agent: act.permit.agent, notAfter: act.permit.notAfter };
}

/** A ledger that throws is a ledger that did not record. */
async function record(ports: ToolCallPorts, draft: EntryDraft, stamp: PermitStamp | null): Promise<Result<Appended>> {
  try {
    return await ports.ledger.append(draft, stamp);
  } catch (error) {
    ports.onFault(error);
    return { ok: false, error: 'the ledger did not answer' };
  }
}
