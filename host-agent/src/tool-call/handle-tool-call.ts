// SPDX-License-Identifier: Apache-2.0
import type { Result } from '../identity/result.ts';
import type { EntryDraft, JsonObject } from '../ledger/entry.ts';
import type { ToolReply } from '../tools/tool.ts';
import { carryOut, digestOfText, type Outcome, type Standing } from './carry-out.ts';
import { callIntent, callOutcome, callRefused } from './entries.ts';
import { judgeCall, refusedForEndedGrant, refusedWithoutPoint, type Allowed, type Judged } from './judge-call.ts';
import { isCovered, keepFirst, stakesOf } from './keep-first.ts';
import type { Appended, PermitStamp, ToolCallPorts } from './ports.ts';
import { recordedIntent } from './recorded-permit.ts';
import { redactedReply, redactedStrings } from './redact.ts';
import { goesOnReply, refusedReply, unavailableReply, unrecordedReply } from './replies.ts';
import { ofShell } from './shell-outcome.ts';
import type { ToolCall } from './tool-call.ts';

/**
 * START READING HERE. The life of one tool call, from a door's hands to the reply. Everything that an agent does to the
 * machine through us passes this function, and nothing passes it without being judged and recorded first:
 *
 *   judge → keep what is at stake → judge → spend → record intent → run → record outcome → reply
 */
export async function handleToolCall(asked: ToolCall, ports: ToolCallPorts): Promise<ToolReply> {
  // Before it is judged: nothing may wait between that and the record. And before the record cuts it: of half a secret nobody knows whose it is.
  const shown = ports.redact.needed() ? await redactedStrings(asked.arguments, ports.redact) : same;
  const call: ShownCall = { ...asked, shown };
  const judged = judgeCall(call, ports);
  const stakes = stakesOf(judged, ports.restore.roots);
  if (judged.verdict === 'deny' || stakes.length === 0) return handleJudged(call, judged, [], ports);

  const leave = await ports.restore.begin(call.agent.name, call.id);
  let rest: Promise<unknown> = Promise.resolve();
  const held: ShownCall = { ...call, goesOn: (ended) => call.goesOn((rest = ended)) };
  try {
    const kept = await keepFirst(call, judged, stakes, ports);
    // Judged anew: a point takes its time, and authority may have ended or a time limit begun meanwhile.
    const then = judgeCall(call, ports);
    if (then.verdict === 'deny') return await handleJudged(call, then, [], ports);
    if (!kept.ok) return await handleJudged(call, refusedWithoutPoint(then, kept.why), [], ports);
    const covered = isCovered(stakesOf(then, ports.restore.roots), kept.stakes);
    const now = covered ? then : refusedWithoutPoint(then, 'what it may write has changed meanwhile');
    return await handleJudged(held, now, kept.points, ports);
  } finally {
    // What outlasts its reply goes on writing: a container, a shell.
    ports.shells.afterwards(call.id, () => void rest.then(leave, leave));
  }
}

/** With its arguments as the record may show them. Their digest stays that of what was asked. */
type ShownCall = ToolCall & { readonly shown: (parsed: JsonObject) => JsonObject };
const same: ShownCall['shown'] = (parsed) => parsed;

async function handleJudged(call: ShownCall, verdict: Judged, points: readonly string[], ports: ToolCallPorts): Promise<ToolReply> {
  // In the turn in which it was judged: no other call can come between and use the same last use (A25).
  const judged = spend(call, verdict, ports);

  if (judged.verdict === 'deny') {
    const refusal = await record(ports, callRefused(call, judged), null);
    if (!refusal.ok) return unavailableReply();
    return ports.redact.needed() ? redactedReply(refusedReply(judged), ports.redact) : refusedReply(judged);
  }

  // No receipt, no run. A crash after this line leaves an intent without an outcome, for all to see.
  const intent = await record(ports, callIntent(call, { ...judged, arguments: call.shown(judged.arguments) }, points), stampOf(judged));
  if (!intent.ok) return unavailableReply();

  return inTime(call, judged, runAndRecord(call, judged, intent.value, ports), ports);
}

async function runAndRecord(call: ToolCall, judged: Allowed, intent: Appended, ports: ToolCallPorts): Promise<ToolReply> {
  const begun = ports.clock.now();
  const onRecord = recordedIntent(call.id, call.agent.name, intent);
  const ended = (how: Outcome): Promise<Result<Appended>> => record(ports, callOutcome(call, judged, onRecord, how, ports.clock.now() - begun), null);
  const carriedOut = await carryOut(call, judged, intent, ports);
  const outcome = ports.redact.needed() ? await redactedOutcome(carriedOut, ports) : carriedOut;
  if ('stands' in outcome) {
    ports.shells.afterwards(call.id, (end) => end && ended(ofShell(end)));
    return outcome.reply;
  }

  const end = await ended(outcome);
  return end.ok ? outcome.reply : unrecordedReply(onRecord);
}

/** The digest is of the text that the agent gets. A shell's is of its transcript, and stays. */
async function redactedOutcome<T extends Outcome | Standing>(outcome: T, { redact }: ToolCallPorts): Promise<T> {
  const reply = await redactedReply(outcome.reply, redact);
  if (reply === outcome.reply || 'stands' in outcome) return { ...outcome, reply };
  const ofReply = outcome.outputDigest === digestOfText(outcome.reply.text);
  return { ...outcome, reply, ...(ofReply ? { outputDigest: digestOfText(reply.text) } : {}) };
}

/** A container may outlast its caller's patience. It is the same recorded call still, and its outcome is recorded when there is one. */
async function inTime(call: ToolCall, { act }: Allowed, ended: Promise<ToolReply>, ports: ToolCallPorts): Promise<ToolReply> {
  if (act.runs !== 'sandbox' || act.replyAfterMs === null) return ended;
  call.goesOn(ended);
  const { container } = act.permit.plan;
  return Promise.race([ended, ports.clock.sleep(act.replyAfterMs).then(() => goesOnReply(container?.name ?? call.tool))]);
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
