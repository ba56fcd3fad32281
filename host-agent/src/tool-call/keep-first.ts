// SPDX-License-Identifier: Apache-2.0
import type { AgentName, CallId, SessionId } from '../identity/ids.ts';
import type { Actor } from '../ledger/entry.ts';
import { isBeneath } from '../sandbox/bindable.ts';
import { pointWork, readPoint } from '../tools/restore-calls.ts';
import type { Allowed, Judged } from './judge-call.ts';
import { runOwnCall } from './own-call.ts';
import type { ToolCallPorts } from './ports.ts';
import type { ToolCall } from './tool-call.ts';

const SELF: Actor = { type: 'system', id: 'holdfastd' };

/** Where restore points are kept of, and what must be known to keep them (R108). */
export type RestorePort = {
  /** Directories of which points are kept, as calls see them. */
  readonly roots: readonly string[];
  readonly newPointId: () => string;
  readonly newCallId: () => CallId;
  /** Waits while an undo of this agent's files is under way, and keeps the next one away until it is let go. */
  readonly begin: (agent: AgentName, call: CallId) => Promise<() => void>;
  /** True the first time for a session and a directory: its first point is of all, so that the whole session can be undone. */
  readonly isFirst: (session: SessionId, root: string) => boolean;
  readonly keptFirst: (session: SessionId, root: string) => void;
};

/** A directory that a call may change, and which path in it; `.` when it may be any. */
export type Stake = { readonly root: string; readonly path: string };

/** What a call could destroy, read from its plan: whatever it may write is at stake, whatever its tool is called. */
export function stakesOf(judged: Judged, roots: readonly string[]): readonly Stake[] {
  if (judged.verdict === 'deny' || judged.act.runs !== 'sandbox') return [];
  const { kind, argv, bindings } = judged.act.permit.plan;
  const writable = bindings.filter(({ access }) => access === 'rw').map(({ path }) => path);
  const named = kind === 'file' ? pathOf(argv) : null;
  return roots.flatMap((root): readonly Stake[] => {
    if (!writable.some((path) => isBeneath(path, root) || isBeneath(root, path))) return [];
    if (named === null) return [{ root, path: '.' }];
    return isBeneath(named, root) ? [{ root, path: named === root ? '.' : named.slice(root.length + 1) }] : [];
  });
}

/** The one path that a file call is about: its plan's directory and the path beneath. */
function pathOf([, root, , beneath]: readonly string[]): string | null {
  if (root === undefined || beneath === undefined) return null;
  return beneath === '.' ? root : `${root === '/' ? '' : root}/${beneath}`;
}

export type Kept =
  | { readonly ok: true; readonly points: readonly string[]; readonly stakes: readonly Stake[] }
  | { readonly ok: false; readonly why: string };

/** A restore point of each stake, made and recorded before the call that puts it at stake is. */
export async function keepFirst(call: ToolCall, judged: Allowed, stakes: readonly Stake[], ports: ToolCallPorts): Promise<Kept> {
  const points: string[] = [];
  for (const { root, path } of stakes) {
    const first = ports.restore.isFirst(call.session, root);
    const id = ports.restore.newPointId();
    const point = { id, of: root, call: call.id, session: call.session, tool: judged.tool.name, at: Date.parse(ports.clock.wall()) };
    const work = pointWork({ ...point, path: first ? '.' : path });
    const about = { point: id, path: first || path === '.' ? root : `${root}/${path}`, before: call.id };
    const ran = await runOwnCall(
      { id: ports.restore.newCallId(), agent: call.agent, actor: SELF, session: call.session, tool: 'restore.point', arguments: about, work, cancelled: call.cancelled },
      ports,
    );
    const read = ran.ok ? readPoint(ran.value) : ran;
    if (!read.ok) return { ok: false, why: read.error };
    if (first) ports.restore.keptFirst(call.session, root);
    points.push(id);
  }
  return { ok: true, points, stakes };
}

/** Authority can change while a point is made: what the call may write now must be what was kept. */
export function isCovered(now: readonly Stake[], kept: readonly Stake[]): boolean {
  return now.every(({ root, path }) => kept.some((k) => k.root === root && (k.path === path || k.path === '.')));
}
