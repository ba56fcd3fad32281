// SPDX-License-Identifier: Apache-2.0
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName, CallId } from '../identity/ids.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { WORKSPACE } from '../sandbox/bindable.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { runOwnCall, type OwnCall } from '../tool-call/own-call.ts';
import { parseBase64, toBase64 } from '../tools/base64.ts';
import { clearWork, liftWork, packWork, readCleared, readLifted, readPacked, readUnpacked, unpackWork, type Packed, type Unpacked } from '../tools/project-calls.ts';
import { bundleWork, cloneWork, hasGit, placeOf, readGit } from '../tools/project-git.ts';
import { pointWork, readPoint } from '../tools/restore-calls.ts';
import { actorOf, declaredAgent, type OperatorDoorPorts } from './operator-ports.ts';
import type { OperatorAnswer, OperatorRequest } from './operator-wire.ts';

/** Bytes on their way between an operator and a sandbox. Each belongs to the operator who began it. */
export type TransfersPort = {
  readonly begin: (agent: AgentName, owner: string) => Result<string>;
  readonly write: (id: string, owner: string, offset: number, bytes: Uint8Array) => Promise<Result<null>>;
  /** All has come. */
  readonly seal: (id: string, owner: string) => Promise<Result<{ readonly agent: AgentName; readonly size: number; readonly sha256: string }>>;
  /** Of what a sandbox has made; from here on it can be read. */
  readonly size: (id: string, owner: string) => Promise<Result<number>>;
  readonly read: (id: string, owner: string, offset: number, most: number) => Promise<Result<Uint8Array>>;
  readonly end: (id: string, owner: string) => void;
};

type Of<Op extends OperatorRequest['op']> = Extract<OperatorRequest, { readonly op: Op }>;
const PART = 512 * 1024;

export function beginPut(ports: OperatorDoorPorts, operator: OperatorPrincipal, name: string): OperatorAnswer<JsonValue> {
  const agent = declaredAgent(ports, name);
  return agent.ok ? ports.transfers.begin(agent.value.name, operator.name) : agent;
}

export async function putData(ports: OperatorDoorPorts, operator: OperatorPrincipal, request: Of<'put-data'>): Promise<OperatorAnswer<JsonValue>> {
  const bytes = parseBase64(request.data);
  return bytes.ok ? ports.transfers.write(request.transfer, operator.name, request.offset, bytes.value) : bytes;
}

/** Unpacked in a sandbox of the agent's uid, after a restore point of where it goes. */
export async function endPut(ports: OperatorDoorPorts, operator: OperatorPrincipal, request: Of<'put-end'>): Promise<OperatorAnswer<JsonValue>> {
  try {
    return await putIn(ports, operator, request);
  } finally {
    ports.transfers.end(request.transfer, operator.name);
  }
}

async function putIn(ports: OperatorDoorPorts, operator: OperatorPrincipal, { transfer, path }: Of<'put-end'>): Promise<OperatorAnswer<JsonValue>> {
  const sealed = await ports.transfers.seal(transfer, operator.name);
  if (!sealed.ok) return sealed;
  const { agent: name, size, sha256 } = sealed.value;
  const doing = doingOf(ports, operator, name);
  if (!doing.ok) return doing;
  const turn = ports.restore.take(name, false);
  if (!turn.ok) return turn;
  try {
    const call = ports.restore.newCallId();
    const point = await keepBefore(doing.value, call, 'project.put', path);
    if (!point.ok) return refuse(`nothing was put in, since no restore point could be made: ${point.error}`);
    const { agent } = doing.value;
    const bundle = hasGit(agent) ? bundleName(call) : null;
    const about = { path: placeOf(path), size, sha256, point: point.value };
    const ran = await perform(doing.value, { id: call, tool: 'project.put', arguments: about, work: unpackWork(path, transfer, bundle) });
    const read = ran.ok ? readUnpacked(ran.value) : ran;
    if (read.ok && read.value.bundle && bundle === null) return refuse(`what came is a bundle of git, and agents of type ${agent.type} have no git; send a tar archive`);
    // One that broke off may have put a part of a bundle down.
    const all = bundle === null || (read.ok && !read.value.bundle) ? read :
      await andCleared(doing.value, beneath(path, bundle), async () => (read.ok ? await cloned(doing.value, { call, path, bundle, read: read.value }) : read));
    if (!all.ok) return refuse(`cannot put that in: ${all.error}. A part of it may be there; to take it back: holdfast undo ${point.value} --agent ${name}`);
    return accept({ ...all.value, sha256, point: point.value } as unknown as JsonValue);
  } finally {
    turn.value();
  }
}

/** A tar archive, or a bundle of git; it is read from here part by part. */
export async function beginGet(ports: OperatorDoorPorts, operator: OperatorPrincipal, request: Of<'get'>): Promise<OperatorAnswer<JsonValue>> {
  const doing = doingOf(ports, operator, request.agent);
  if (!doing.ok) return doing;
  const got = request.bundle ? await bundled(doing.value, request.path) : await packed(doing.value, request.path);
  return got.ok ? accept(got.value as unknown as JsonValue) : refuse(`cannot get that: ${got.error}`);
}

type Got = { readonly transfer: string; readonly size: number; readonly packed: Packed | null };

/** Packed in a sandbox that only reads. */
async function packed(doing: Doing, path: string): Promise<Result<Got>> {
  return passedOut(doing, async (transfer) => {
    const ran = await perform(doing, { tool: 'project.get', arguments: { path: placeOf(path) }, work: packWork(path, transfer) });
    return ran.ok ? readPacked(ran.value) : ran;
  });
}

/** Git writes its bundle where the agent may write too, so the agent's calls wait, and what lies there is kept first. */
async function bundled(doing: Doing, path: string): Promise<Result<Got>> {
  const { agent, ports } = doing;
  if (!hasGit(agent)) return refuse(`agents of type ${agent.type} have no git; get it as a tar archive, without --bundle`);
  const turn = ports.restore.take(agent.name, false);
  if (!turn.ok) return turn;
  try {
    const call = ports.restore.newCallId();
    const point = await keepBefore(doing, call, 'project.bundle', path);
    if (!point.ok) return refuse(`no restore point could be made before it: ${point.error}`);
    const file = beneath(path, bundleName(call));
    return await andCleared(doing, file, async () => {
      const made = await perform(doing, { id: call, tool: 'project.bundle', arguments: { path: placeOf(path), point: point.value }, work: bundleWork(path, bundleName(call)) });
      const done = made.ok ? readGit(made.value) : made;
      if (!done.ok) return done;
      return passedOut(doing, async (transfer) => {
        const ran = await perform(doing, { tool: 'project.get', arguments: { path: placeOf(file) }, work: liftWork(file, transfer) });
        const lifted = ran.ok ? readLifted(ran.value) : ran;
        return lifted.ok ? accept(null) : lifted;
      });
    });
  } finally {
    turn.value();
  }
}

/** What `make` has a sandbox put into a transfer. */
async function passedOut({ ports, agent, operator }: Doing, make: (transfer: string) => Promise<Result<Packed | null>>): Promise<Result<Got>> {
  const transfer = ports.transfers.begin(agent.name, operator.name);
  if (!transfer.ok) return transfer;
  const made = await make(transfer.value);
  const size = made.ok ? await ports.transfers.size(transfer.value, operator.name) : made;
  if (made.ok && size.ok) return accept({ transfer: transfer.value, size: size.value, packed: made.value });
  ports.transfers.end(transfer.value, operator.name);
  return refuse(size.ok ? '' : size.error);
}

type PutDown = { readonly call: CallId; readonly path: string; readonly bundle: string; readonly read: Unpacked };

/** The bundle that has been put down becomes a repository beside it. */
async function cloned(doing: Doing, { call, path, bundle, read }: PutDown): Promise<Result<Unpacked>> {
  const ran = await perform(doing, { tool: 'project.clone', arguments: { path: placeOf(path), put: call }, work: cloneWork(path, bundle) });
  const done = ran.ok ? readGit(ran.value) : ran;
  return done.ok ? accept(read) : done;
}

/** Whatever became of the work, the file of ours that it was about does not stay in the workspace. */
async function andCleared<T>(doing: Doing, file: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
  const done = await work();
  const ran = await perform(doing, { tool: 'project.clear', arguments: { path: placeOf(file) }, work: clearWork(file) });
  const cleared = ran.ok ? readCleared(ran.value) : ran;
  // Where the work failed its file may never have been there.
  return done.ok && !cleared.ok ? refuse(`${placeOf(file)} could not be removed: ${cleared.error}`) : done;
}

async function keepBefore(doing: Doing, call: CallId, tool: string, path: string): Promise<Result<string>> {
  const { newPointId, wallMs } = doing.ports.restore;
  const point = { id: newPointId(), of: WORKSPACE, call, session: '', tool, at: wallMs(), path };
  const ran = await perform(doing, { tool: 'restore.point', arguments: { point: point.id, path: placeOf(path), before: call }, work: pointWork(point) });
  const made = ran.ok ? readPoint(ran.value) : ran;
  return made.ok ? accept(point.id) : made;
}

export async function getData(ports: OperatorDoorPorts, operator: OperatorPrincipal, { transfer, offset }: Of<'get-data'>): Promise<OperatorAnswer<JsonValue>> {
  const bytes = await ports.transfers.read(transfer, operator.name, offset, PART);
  return bytes.ok ? accept(toBase64(bytes.value)) : bytes;
}

type Doing = { readonly ports: OperatorDoorPorts; readonly operator: OperatorPrincipal; readonly agent: AgentAuthority };

function doingOf(ports: OperatorDoorPorts, operator: OperatorPrincipal, name: string): Result<Doing> {
  const declared = declaredAgent(ports, name);
  const agent = declared.ok ? ports.authorityOf(declared.value) : declared;
  return agent.ok ? accept({ ports, operator, agent: agent.value }) : agent;
}

function perform({ ports, operator, agent }: Doing, call: Pick<OwnCall, 'tool' | 'arguments' | 'work'> & { readonly id?: CallId }): Promise<Result<RunResult>> {
  return runOwnCall({ id: ports.restore.newCallId(), ...call, agent, actor: actorOf(operator), session: null, cancelled: new AbortController().signal }, ports.restore.calls);
}

/** No name of anybody's: in the folder that git sees, beside what it makes or reads. */
function bundleName(call: CallId): string {
  return `.holdfast-bundle-${call}`;
}

function beneath(path: string, name: string): string {
  return path === '.' ? name : `${path}/${name}`;
}
