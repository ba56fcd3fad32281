// SPDX-License-Identifier: Apache-2.0
import type { AgentAuthority } from '../gate/authority.ts';
import type { AgentName, CallId } from '../identity/ids.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import { isBeneath } from '../sandbox/bindable.ts';
import { imageOf, type OwnWork } from '../sandbox/own-plan.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { chooseSpans } from '../tool-call/choose-points.ts';
import { runOwnCall, type OwnCallPorts } from '../tool-call/own-call.ts';
import { diffWork, pointsWork, pointWork, readDiff, readPoint, readPoints, readUndo, undoWork, type RestorePoint, type Span } from '../tools/restore-calls.ts';
import { standsStill } from './keep-before-run.ts';
import { actorOf, declaredAgent, type OperatorDoorPorts } from './operator-ports.ts';
import type { DiffView, EtcView, OperatorAnswer, OperatorRequest, UndoView } from './operator-wire.ts';

/** What the operators' door needs to work on an agent's files. */
export type RestorePorts = {
  readonly calls: OwnCallPorts;
  readonly newCallId: () => CallId;
  readonly newPointId: () => string;
  /** Keeps the agent's calls from writing until it is let go. */
  readonly take: (agent: AgentName, force: boolean) => Result<() => void>;
  readonly wallMs: () => number;
  /** Directories of /etc that points are made of. */
  readonly etcRoots: readonly string[];
};

type Of<Op extends OperatorRequest['op']> = Extract<OperatorRequest, { readonly op: Op }>;
type Doing = { readonly ports: RestorePorts; readonly operator: OperatorPrincipal; readonly agent: AgentAuthority };

/** Which directories of /etc can be changed at all, and by which agents once they are granted it. */
export function etcViews(ports: OperatorDoorPorts): readonly EtcView[] {
  return ports.restore.etcRoots.map((path) => {
    const agents = ports.declared().agents.filter(({ ceiling }) => ceiling.allow.some((text) => text === `fs:write:${path}/**`));
    return { path, agents: agents.map(({ name }) => name) };
  });
}

export async function listPoints(ports: OperatorDoorPorts, operator: OperatorPrincipal, name: string): Promise<OperatorAnswer<JsonValue>> {
  const doing = doingOf(ports, operator, name);
  return doing.ok ? ((await pointsOf(doing.value)) as OperatorAnswer<JsonValue>) : doing;
}

export async function showDiff(ports: OperatorDoorPorts, operator: OperatorPrincipal, request: Of<'diff'>): Promise<OperatorAnswer<JsonValue>> {
  const doing = doingOf(ports, operator, request.agent);
  if (!doing.ok) return doing;
  const spans = await spansOf(doing.value, request);
  if (!spans.ok) return spans;
  const views: DiffView[] = [];
  for (const span of spans.value) {
    const ran = await perform(doing.value, ports.restore.newCallId(), 'restore.diff', shownSpan(span), diffWork(span));
    const read = ran.ok ? readDiff(ran.value) : ran;
    if (!read.ok) return refuse(`cannot compare ${span.of}: ${read.error}`);
    views.push({ ...span, ...read.value });
  }
  return accept(views as unknown as JsonValue);
}

/** Each directory has a restore point made first, so that the undo can be undone. */
export async function undo(ports: OperatorDoorPorts, operator: OperatorPrincipal, request: Of<'undo'>): Promise<OperatorAnswer<JsonValue>> {
  const doing = doingOf(ports, operator, request.agent);
  if (!doing.ok) return doing;
  const { agent } = doing.value;
  const turn = request.dryRun ? accept(() => undefined) : ports.restore.take(agent.name, request.force);
  if (!turn.ok) return turn;
  try {
    const still = request.dryRun || request.force ? accept(null) : await standsStill(agent, ports.units);
    if (!still.ok) return refuse(`${still.error}: stop it first (holdfast agent stop ${agent.name}), or use --force`);
    const spans = await spansOf(doing.value, request);
    if (!spans.ok) return spans;
    const views: UndoView[] = [];
    for (const span of spans.value) {
      const view = await undoSpan(doing.value, span, request);
      if (!view.ok) return refuse(`cannot undo in ${span.of}: ${view.error}${views.length > 0 ? '; what lay in other directories is undone' : ''}`);
      views.push(view.value);
    }
    return accept(views as unknown as JsonValue);
  } finally {
    turn.value();
  }
}

async function undoSpan(doing: Doing, span: Span, { force, dryRun }: Of<'undo'>): Promise<Result<UndoView>> {
  const { ports } = doing;
  const call = ports.newCallId();
  // Refused before a point is made: a conflict changes nothing.
  const look = await perform(doing, dryRun ? call : ports.newCallId(), 'restore.foresee', shownSpan(span), undoWork(span, { force, dryRun: true }));
  const foreseen = look.ok ? readUndo(look.value) : look;
  if (!foreseen.ok) return foreseen;
  const idle = foreseen.value.restored + foreseen.value.removed === 0;
  if (dryRun || (foreseen.value.conflicts > 0 && !force) || idle) return accept({ ...span, point: null, ...foreseen.value });
  const point = { id: ports.newPointId(), of: span.of, call, session: '', tool: 'restore.undo', at: ports.wallMs(), path: span.path };
  const kept = await perform(doing, ports.newCallId(), 'restore.point', { point: point.id, path: shownPath(span), before: call }, pointWork(point));
  const made = kept.ok ? readPoint(kept.value) : kept;
  if (!made.ok) return refuse(`no restore point could be made before it: ${made.error}`);
  const ran = await perform(doing, call, 'restore.undo', { ...shownSpan(span), force, point: point.id }, undoWork(span, { force, dryRun: false }));
  const undone = ran.ok ? readUndo(ran.value) : ran;
  return undone.ok ? accept({ ...span, point: point.id, ...undone.value }) : undone;
}

function doingOf(ports: OperatorDoorPorts, operator: OperatorPrincipal, name: string): Result<Doing> {
  const agent = declaredAgent(ports, name);
  if (!agent.ok) return agent;
  const authority = ports.authorityOf(agent.value);
  return authority.ok ? accept({ ports: ports.restore, operator, agent: authority.value }) : authority;
}

async function pointsOf(doing: Doing): Promise<Result<readonly RestorePoint[]>> {
  const ran = await perform(doing, doing.ports.newCallId(), 'restore.list', {}, pointsWork());
  const read = ran.ok ? readPoints(ran.value) : ran;
  return read.ok ? read : refuse(`cannot read the restore points of ${doing.agent.name}: ${read.error}`);
}

async function spansOf(doing: Doing, { target, path }: Of<'diff'> | Of<'undo'>): Promise<Result<readonly Span[]>> {
  if (target.kind === 'image') return imageSpan(doing, path);
  const points = await pointsOf(doing);
  return points.ok ? chooseSpans(points.value, target, path) : points;
}

/** What the image has there becomes a restore point like another, so that comparing and bringing back are the same for both. */
async function imageSpan(doing: Doing, path: string | null): Promise<Result<readonly Span[]>> {
  const { ports } = doing;
  const of = ports.etcRoots.find((root) => path !== null && isBeneath(path, root));
  if (of === undefined || path === null) return refuse(`name a path in ${ports.etcRoots.join(' or ')}: of nothing else the image has content that agents can change`);
  const call = ports.newCallId();
  const point = { id: ports.newPointId(), of: imageOf(of), call, session: '', tool: 'restore.point', at: ports.wallMs(), path: '.' };
  const ran = await perform(doing, call, 'restore.point', { point: point.id, path: imageOf(of), before: null }, pointWork(point));
  const made = ran.ok ? readPoint(ran.value) : ran;
  if (!made.ok) return refuse(`cannot read what the image has of ${of}: ${made.error}`);
  return accept([{ of, from: point.id, to: null, path: path === of ? '.' : path.slice(of.length + 1) }]);
}

function perform(doing: Doing, id: CallId, tool: `restore.${string}`, args: JsonObject, work: OwnWork): Promise<Result<RunResult>> {
  const { ports, operator, agent } = doing;
  const call = { id, agent, actor: actorOf(operator), session: null, tool, arguments: args, work, cancelled: new AbortController().signal };
  return runOwnCall(call, ports.calls);
}

function shownSpan(span: Span): JsonObject {
  return { path: shownPath(span), from: span.from, to: span.to };
}

function shownPath({ of, path }: Span): string {
  return path === '.' ? of : `${of}/${path}`;
}
