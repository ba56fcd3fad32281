// SPDX-License-Identifier: Apache-2.0
import { accept, refuse, type Result } from '../identity/result.ts';
import { isBeneath } from '../sandbox/bindable.ts';
import type { RestorePoint, Span } from '../tools/restore-calls.ts';

/** What somebody wants to see or to take back. */
export type RestoreTarget =
  | { readonly kind: 'call'; readonly call: string }
  /** `first`: its first call that a point was made for, by the ledger. */
  | { readonly kind: 'session'; readonly session: string; readonly first: string }
  | { readonly kind: 'point'; readonly point: string }
  /** From before a contained agent's program was started until it ended: `after` are points made since then, by the ledger; none while it runs. */
  | { readonly kind: 'run'; readonly point: string; readonly after: readonly string[] }
  /** The image's own content of a directory of /etc. */
  | { readonly kind: 'image' };

/**
 * From which point to which, for each directory. What a call did to a path lies between its own point and the next one that covers that
 * path: every call that could change it had one made before it. Without a next one it has not been at stake since, and the end is now.
 */
export function chooseSpans(points: readonly RestorePoint[], target: Exclude<RestoreTarget, { readonly kind: 'image' }>, path: string | null): Result<readonly Span[]> {
  const found = spansOf(points, target);
  if (!found.ok) return found;
  if (path === null) return accept(found.value.map(({ from, to }) => ({ of: from.of, from: from.id, to: idsOf(to), path: '.' })));
  const about = found.value.find(({ from }) => isBeneath(path, from.of));
  if (about === undefined) return refuse(`${path} is in none of the directories that points were made of: ${found.value.map(({ from }) => from.of).join(', ')}`);
  const { from, to } = about;
  return accept([{ of: from.of, from: from.id, to: idsOf(to), path: path === from.of ? '.' : path.slice(from.of.length + 1) }]);
}

/** `to`: later points; the state of a path after the call is that of the first that covers it, and now where none does. */
type Ends = { readonly from: RestorePoint; readonly to: readonly RestorePoint[] };

function idsOf(points: readonly RestorePoint[]): string | null {
  return points.length === 0 ? null : points.map(({ id }) => id).join(',');
}

function spansOf(points: readonly RestorePoint[], target: Exclude<RestoreTarget, { readonly kind: 'image' }>): Result<readonly Ends[]> {
  switch (target.kind) {
    case 'point': {
      const from = points.find(({ id }) => id === target.point);
      return from === undefined ? gone(`restore point ${target.point}`) : accept([{ from, to: [] }]);
    }
    case 'call': {
      const froms = points.filter(({ call }) => call === target.call);
      if (froms.length === 0) return gone(`the restore point of call ${target.call}`);
      return accept(froms.map((from) => ({ from, to: laterPoints(points, points.indexOf(from), from) })));
    }
    case 'run': {
      const from = points.find(({ id }) => id === target.point);
      if (from === undefined) return gone(`restore point ${target.point}, made before that program was started`);
      const end = points.findIndex(({ id }) => target.after.includes(id));
      return accept([{ from, to: end === -1 ? [] : laterPoints(points, end - 1, from) }]);
    }
    case 'session': {
      const of = (point: RestorePoint): boolean => point.session === target.session;
      const roots = [...new Set(points.filter(of).map((point) => point.of))];
      const firsts = roots.map((root) => points.find((point) => of(point) && point.of === root)!);
      if (!firsts.some(({ call }) => call === target.first)) return gone(`the first restore point of session ${target.session}`);
      if (!firsts.every(({ scope }) => scope === '.')) return gone(`a first restore point of session ${target.session}`);
      return accept(firsts.map((from) => {
        const last = points.findLastIndex((point) => of(point) && point.of === from.of);
        return { from, to: laterPoints(points, last, from) };
      }));
    }
  }
}

/** Up to the first that covers all of it. */
function laterPoints(points: readonly RestorePoint[], after: number, from: RestorePoint): readonly RestorePoint[] {
  const covers = ({ scope }: RestorePoint): boolean => scope === '.' || isBeneath(from.scope, scope);
  const meets = (point: RestorePoint): boolean => covers(point) || from.scope === '.' || isBeneath(point.scope, from.scope);
  const later = points.slice(after + 1).filter((point) => point.of === from.of && meets(point));
  const last = later.findIndex(covers);
  return last === -1 ? later : later.slice(0, last + 1);
}

function gone(what: string): Result<never> {
  return refuse(`${what} is there no more, or never was: the oldest end first; see: holdfast points AGENT`);
}
