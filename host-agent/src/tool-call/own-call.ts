// SPDX-License-Identifier: Apache-2.0
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId, SessionId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { sha256Hex } from '../ledger/digest.ts';
import type { Actor, EntryDraft, EntryKind, JsonObject } from '../ledger/entry.ts';
import { planOwnCall, planOwnProgram, type OwnProgram, type OwnWork } from '../sandbox/own-plan.ts';
import type { Permit, RunResult } from '../sandbox/permit.ts';
import { boundedArguments, digestOf } from './arguments.ts';
import { figures } from './carry-out.ts';
import type { ToolCallPorts } from './ports.ts';
import { recordedPermit } from './recorded-permit.ts';

/** A call on an agent's files that is not the agent's: Holdfast's own, or an operator's. It is recorded and permitted like any other. */
export type OwnCall = {
  readonly id: CallId;
  /** Whose files, and with whose uid. */
  readonly agent: AgentAuthority;
  readonly actor: Actor;
  /** For which session it is done, if for one. */
  readonly session: SessionId | null;
  readonly tool: `restore.${string}` | `project.${string}` | `image.${string}`;
  readonly arguments: JsonObject;
  readonly work: OwnWork | OwnProgram;
  readonly cancelled: AbortSignal;
};

export type OwnCallPorts = Pick<ToolCallPorts, 'ledger' | 'runner' | 'clock' | 'onFault'>;

/** record intent → run → record outcome. What cannot be recorded does not run, and what ran unrecorded is not believed. */
export async function runOwnCall(call: OwnCall, ports: OwnCallPorts): Promise<Result<RunResult>> {
  try {
    return await run(call, ports);
  } catch (error) {
    ports.onFault(error);
    return refuse('a fault in Holdfast stopped it');
  }
}

async function run(call: OwnCall, ports: OwnCallPorts): Promise<Result<RunResult>> {
  const planned = 'op' in call.work ? accept(planOwnCall(call.work)) : planOwnProgram(call.work, call.agent);
  if (!planned.ok) return planned;
  const plan = planned.value;
  const begun = ports.clock.now();
  const notAfter = begun + plan.limits.timeoutMs;
  const permit: Permit = { v: 1, call: call.id, agent: call.agent.name, tool: call.tool, plan, stdin: null, notAfter };
  const digest = digestOf(permit);
  const { name: agent, mode } = call.agent;
  const intent = draft(call, 'call.intent', {
    call: call.id,
    session: call.session,
    agent,
    tool: call.tool,
    arguments: boundedArguments(call.arguments),
    arguments_digest: digestOf(call.arguments),
    capabilities: [],
    grants: [],
    rule: call.actor.type === 'user' ? 'operator' : 'restore.point',
    permit_digest: digest,
    not_after: notAfter,
    mode,
    restore: [],
  });
  const appended = await ports.ledger.append(intent, { digest, agent, notAfter });
  if (!appended.ok) return refuse('the ledger cannot be written, and what cannot be recorded does not run');
  const ran = await ports.runner.run(recordedPermit(permit, digest, appended.value), null, call.cancelled);
  const good = ran.ok && !ran.value.deadline && 'code' in ran.value.exit && ran.value.exit.code === 0;
  const status = !ran.ok ? 'failed' : ran.value.deadline ? 'deadline' : good ? 'ok' : 'error';
  const outcome = draft(call, 'call.outcome', {
    call: call.id,
    intent: appended.value.seq,
    agent,
    tool: call.tool,
    status,
    exit: ran.ok ? ran.value.exit : null,
    output_digest: sha256Hex(ran.ok ? ran.value.stdout : new TextEncoder().encode(ran.error)),
    observed: ran.ok ? figures(ran.value.observed) : { by: 'none' },
    duration_ms: ports.clock.now() - begun,
    mode,
  });
  const end = await ports.ledger.append(outcome, null);
  return end.ok ? ran : refuse(`it ran, but its outcome cannot be recorded; its intent is entry ${appended.value.seq}`);
}

function draft({ actor }: OwnCall, kind: EntryKind, data: JsonObject): EntryDraft {
  return { kind, actor, trace: null, span: null, data };
}
