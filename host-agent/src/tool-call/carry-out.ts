// SPDX-License-Identifier: Apache-2.0
import { formatCapability } from '../capability/capability.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Observed, RunResult } from '../sandbox/permit.ts';
import type { ToolReply } from '../tools/tool.ts';
import { grantRequested } from './entries.ts';
import type { Act, Allowed } from './judge-call.ts';
import type { Appended, RefusedBy, ToolCallPorts } from './ports.ts';
import { recordedIntent, recordedNetPermit, recordedPermit, type RecordedIntent, type RecordedPermit } from './recorded-permit.ts';
import { failedReply, notStartedReply } from './replies.ts';
import { ofShell } from './shell-outcome.ts';
import type { ToolCall } from './tool-call.ts';

/** How a recorded call ended. `cancelled`: ended for its client's sake. `failed`: it could not be carried out, so what came of it is not known. */
export type Outcome = {
  readonly status: 'ok' | 'error' | 'deadline' | 'cancelled' | 'failed';
  readonly exit: JsonValue;
  /** SHA-256 of the text that the agent gets. */
  readonly outputDigest: string;
  readonly observed: JsonObject;
  readonly reply: ToolReply;
};

/** What goes on after its call is answered: its outcome comes when it has ended. */
export type Standing = { readonly stands: true; readonly reply: ToolReply };

/** Does what was judged and recorded, and nothing else. Never throws: a fault is an outcome too. */
export async function carryOut(call: ToolCall, judged: Allowed, appended: Appended, ports: ToolCallPorts): Promise<Outcome | Standing> {
  const withdrawn = whyWithdrawn(judged, ports);
  if (withdrawn !== null) return failed(notStartedReply(withdrawn));
  if (call.cancelled.aborted) return cancelled(notStartedReply('its client cancelled it'));
  try {
    const { act } = judged;
    switch (act.runs) {
      case 'sandbox': {
        const permit = recordedPermit(act.permit, act.permitDigest, appended);
        if (act.permit.plan.terminal !== undefined) return await openShell(call, judged, permit, ports);
        return ofRun(call, judged, await ports.runner.run(permit, act.stdin, call.cancelled), ports);
      }
      case 'observe':
        return ofSight(judged, await ports.observer.observe(recordedIntent(call.id, call.agent.name, appended), act.observation));
      case 'change':
        return ofChange(judged, await ports.changer.change(recordedIntent(call.id, call.agent.name, appended), act.change));
      case 'container':
        return ofSight(judged, await ports.containers.act(recordedIntent(call.id, call.agent.name, appended), act.name, act.act));
      case 'shell': {
        const bounds = { notAfter: judged.decision.notAfter, cancelled: call.cancelled };
        return ofSight(judged, await ports.shells.use(recordedIntent(call.id, call.agent.name, appended), act.shell, act.use, bounds));
      }
      case 'fetch': {
        const intent = recordedNetPermit(act.permit, act.permitDigest, appended);
        return ofFetch(judged, await ports.fetcher.fetch(intent, act.request, judged.decision.grantsUsed.map(({ id }) => id), call.cancelled));
      }
      case 'door':
        return ofSight(judged, await askOperator(call, act, recordedIntent(call.id, call.agent.name, appended), ports));
    }
  } catch (error) {
    ports.onFault(error);
    return failed(failedReply('a fault in Holdfast stopped it'));
  }
}

/** Authority that ended while the intent was being written starts nothing (A13, A16). */
function whyWithdrawn(judged: Allowed, ports: ToolCallPorts): string | null {
  const { grantsUsed, notAfter } = judged.decision;
  const revoked = grantsUsed.find((grant) => ports.grants.isRevoked(grant.id));
  if (revoked !== undefined) return `the grant of ${formatCapability(revoked.capability)} was revoked`;
  return ports.clock.now() < notAfter ? null : 'its time was over before it began';
}

async function openShell(call: ToolCall, judged: Allowed, permit: RecordedPermit, ports: ToolCallPorts): Promise<Outcome | Standing> {
  const owner = { session: call.session, grants: judged.decision.grantsUsed.map((grant) => grant.id) };
  const opened = await ports.shells.open(permit, owner, call.cancelled);
  if (!opened.stands) return ofShell(opened.end);
  return { stands: true, reply: judged.tool.reply(judged.arguments, { seen: opened.seen }) };
}

/** A wish to hold more. It changes nothing until an operator says so (R5). */
async function askOperator(
  call: ToolCall,
  { ask }: Extract<Act, { readonly runs: 'door' }>,
  _intent: RecordedIntent,
  ports: ToolCallPorts,
): Promise<Result<JsonValue>> {
  const agent = call.agent.name;
  const capability = formatCapability(ask.capability);
  const denied = ask.shadowedBy.map(formatCapability);
  const open = ports.requests.find(agent, ask.capability);
  if (open !== null) return accept({ request: open.id, capability, for_ms: open.forMs, state: 'open', still_denied: denied });
  const room = ports.requests.hasRoom(agent);
  if (!room.ok) return room;
  const { forMs, reason } = ask;
  const request = { id: ports.requests.nextId(), agent, capability: ask.capability, forMs, reason, askedAt: ports.clock.wall() };
  // Before the await, so that parallel calls cannot pass the limit together.
  ports.requests.add(request);
  const appended = await ports.ledger.append(grantRequested(call, request), null);
  if (!appended.ok) {
    ports.requests.remove(request.id);
    return refuse('the request cannot be recorded');
  }
  return accept({ request: request.id, capability, for_ms: forMs, state: 'open', still_denied: denied });
}

function ofRun(call: ToolCall, judged: Allowed, ran: Result<RunResult>, ports: ToolCallPorts): Outcome {
  const ended = failedReply('its client cancelled it');
  if (!ran.ok) return call.cancelled.aborted ? cancelled(ended) : failed(failedReply(ran.error));
  const { exit, deadline, observed } = ran.value;
  // What ended by itself before the cancellation reached it has ended as it did.
  const killed = call.cancelled.aborted && !deadline && 'signal' in exit && exit.signal === 'SIGKILL';
  if (killed) return { ...cancelled(ended), exit, observed: figures(observed) };
  try {
    const reply = judged.tool.reply(judged.arguments, { ran: ran.value });
    const status = deadline ? 'deadline' : reply.isError ? 'error' : 'ok';
    return { status, exit, outputDigest: digestOfText(reply.text), observed: figures(observed), reply };
  } catch (error) {
    // What was seen of the run is kept, though nobody can say what it meant.
    ports.onFault(error);
    return { ...failed(failedReply('its output cannot be read')), exit, observed: figures(observed) };
  }
}

function ofSight(judged: Allowed, seen: Result<JsonValue>): Outcome {
  if (!seen.ok) return failed(failedReply(seen.error));
  const reply = judged.tool.reply(judged.arguments, { seen: seen.value });
  return { status: reply.isError ? 'error' : 'ok', exit: null, outputDigest: digestOfText(reply.text), observed: { by: 'none' }, reply };
}

/** What was seen before and after is kept with the outcome: of these acts there is no control group to measure. */
function ofChange(judged: Allowed, seen: Result<JsonObject>): Outcome {
  const outcome = ofSight(judged, seen);
  return seen.ok ? { ...outcome, observed: { by: 'holdfastd', ...seen.value } } : outcome;
}

/** An answer that says no is an answer: what was asked for was done. */
function ofFetch(judged: Allowed, seen: Result<JsonObject> & RefusedBy): Outcome {
  const outcome = ofSight(judged, seen);
  if (!seen.ok) return seen.rule === undefined ? outcome : { ...outcome, observed: { by: 'egress', refused: seen.rule } };
  const { status, sent, received } = seen.value;
  return { ...outcome, observed: { by: 'egress', http_status: status!, bytes_up: sent!, bytes_down: received! } };
}

function failed(reply: ToolReply): Outcome {
  return { status: 'failed', exit: null, outputDigest: digestOfText(reply.text), observed: { by: 'none' }, reply };
}

function cancelled(reply: ToolReply): Outcome {
  return { ...failed(reply), status: 'cancelled' };
}

export function digestOfText(text: string): string {
  return sha256Hex(new TextEncoder().encode(text));
}

/** Kernel figures as whole numbers: the ledger's encoding has no others. */
export function figures(observed: Observed): JsonObject {
  return Object.fromEntries(Object.entries(observed).map(([name, value]) => [name, typeof value === 'number' ? Math.trunc(value) : value]));
}
