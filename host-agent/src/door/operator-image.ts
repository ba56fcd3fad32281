// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { AgentName, CallId } from '../identity/ids.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { runOwnCall, type OwnCall } from '../tool-call/own-call.ts';
import type { RunnerPort } from '../tool-call/ports.ts';
import { importWork, removeImageWork } from '../tools/image-calls.ts';
import { readUnpacked } from '../tools/project-calls.ts';
import { factsOf } from '../tools/restore-calls.ts';
import { actorOf, declaredAgent, type OperatorDoorPorts } from './operator-ports.ts';
import type { OperatorAnswer, OperatorRequest } from './operator-wire.ts';

/** An agent's images lie where its uid can change no name; what calls make or delete lies in a folder of that uid, under the call's name. */
export type ImagesPort = {
  /** What a call has made becomes the image of this digest, unless it is no directory or there is one. */
  readonly takeIn: (agent: AgentName, made: CallId, digest: string) => Result<null>;
  /** For a call to delete. */
  readonly putOut: (agent: AgentName, digest: string, as: CallId) => Result<null>;
};

type Of<Op extends OperatorRequest['op']> = Extract<OperatorRequest, { readonly op: Op }>;

/** R34: an operator says what the archive hashes to; no agent can ask for this. Its bytes are looked at in a sandbox of the agent's uid only. */
export async function endImport(ports: OperatorDoorPorts, operator: OperatorPrincipal, { transfer, digest }: Of<'import-end'>): Promise<OperatorAnswer<JsonValue>> {
  try {
    const sealed = await ports.transfers.seal(transfer, operator.name);
    if (!sealed.ok) return sealed;
    const { agent, size, sha256 } = sealed.value;
    if (`sha256-${sha256}` !== digest) return refuse(`what came hashes to sha256-${sha256}, not to ${digest}; nothing was brought in`);
    const id = ports.restore.newCallId();
    const run: Run = async (...asked) => {
      const ran = await ports.restore.calls.runner.run(...asked);
      const taken = ran.ok && readUnpacked(ran.value).ok ? ports.images.takeIn(agent, id, digest) : ran;
      return taken.ok ? ran : taken;
    };
    const ran = await ownCall(ports, operator, agent, { id, tool: 'image.import', arguments: { digest, size }, work: importWork(id, transfer) }, run);
    const read = ran.ok ? readUnpacked(ran.value) : ran;
    if (read.ok) return accept(read.value as unknown as JsonValue);
    await ownCall(ports, operator, agent, { id: ports.restore.newCallId(), tool: 'image.remove', arguments: { unfinished: id }, work: removeImageWork(id) });
    return refuse(`cannot bring that in: ${read.error}`);
  } finally {
    ports.transfers.end(transfer, operator.name);
  }
}

export async function removeImage(ports: OperatorDoorPorts, operator: OperatorPrincipal, { agent: name, digest }: Of<'image-remove'>): Promise<OperatorAnswer<JsonValue>> {
  const agent = declaredAgent(ports, name);
  if (!agent.ok) return agent;
  const id = ports.restore.newCallId();
  let out: Result<null> = refuse('it was not begun');
  const run: Run = async (...asked) => {
    out = ports.images.putOut(agent.value.name, digest, id);
    return out.ok ? ports.restore.calls.runner.run(...asked) : out;
  };
  const ran = await ownCall(ports, operator, name, { id, tool: 'image.remove', arguments: { digest }, work: removeImageWork(id) }, run);
  const facts = ran.ok ? factsOf(ran.value, z.strictObject({ removed: z.int() })) : ran;
  if (facts.ok) return accept(null);
  return refuse(out.ok ? `that image can be used no more, but what is left of it lies with the agent as ${id}, for root to delete: ${facts.error}` : `cannot remove that image: ${facts.error}`);
}

type Run = RunnerPort['run'];

/** `run` is what happens between the record that it begins and the record of how it ended. */
async function ownCall(
  ports: OperatorDoorPorts, operator: OperatorPrincipal, name: string, doing: Pick<OwnCall, 'id' | 'tool' | 'arguments' | 'work'>, run: Run = ports.restore.calls.runner.run,
): Promise<Result<RunResult>> {
  const declared = declaredAgent(ports, name);
  const agent = declared.ok ? ports.authorityOf(declared.value) : declared;
  if (!agent.ok) return agent;
  return runOwnCall({ ...doing, agent: agent.value, actor: actorOf(operator), session: null, cancelled: new AbortController().signal }, { ...ports.restore.calls, runner: { run } });
}
