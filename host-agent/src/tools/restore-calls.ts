// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { accept, refuse, type Result } from '../identity/result.ts';
import { RESTORE } from '../sandbox/bindable.ts';
import type { OwnWork } from '../sandbox/own-plan.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { decodeName, fileFault, parseFactLine, readGroups, wholeNumber } from './file-tool-records.ts';

// What is asked of the file tool about restore points, and what it answers (host-agent/native/file-tool/store.h, op-*.c).

export type RestorePoint = {
  readonly id: string;
  /** The directory that it is of, as calls see it, and the path in it that it is limited to; `.` for all. */
  readonly of: string;
  readonly scope: string;
  /** Before which call it was made, of which session (empty for a call of no session) and which tool. */
  readonly call: string;
  readonly session: string;
  readonly tool: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly entries: number;
  readonly bytes: number;
  readonly own: number;
  /** Paths whose content it does not have, and files that were being written when it was made. */
  readonly unread: number;
  readonly moving: number;
};

export type NewPoint = Pick<RestorePoint, 'id' | 'of' | 'call' | 'session' | 'tool' | 'at'> & { readonly path: string };

export function pointWork({ id, of, call, session, tool, at, path }: NewPoint): OwnWork {
  const facts = ['--id', id, '--of', of, '--call', call, '--session', session, '--tool', tool, '--at', String(at)];
  const bindings = [{ path: of, access: 'ro' }, { path: RESTORE, access: 'rw' }] as const;
  return { op: 'point', root: of, path, options: ['--store', RESTORE, ...facts], bindings };
}

export function pointsWork(): OwnWork {
  return { op: 'points', root: RESTORE, path: '.', options: ['--store', RESTORE], bindings: [{ path: RESTORE, access: 'ro' }] };
}

/** From a point to a later state, or to now (null); at and below `path`. The later state is of points, oldest first, with commas between. */
export type Span = { readonly of: string; readonly from: string; readonly to: string | null; readonly path: string };

export const MOST_CHANGES = 500;
const MOST_TEXT = 32 * 1024;
const MOST_TEXTS = 192 * 1024;

export function diffWork({ of, from, to, path }: Span): OwnWork {
  const limits = ['--max', String(MOST_CHANGES), '--max-text', String(MOST_TEXT), '--max-bytes', String(MOST_TEXTS)];
  const bindings = [{ path: of, access: 'ro' }, { path: RESTORE, access: 'ro' }] as const;
  return { op: 'diff', root: of, path, options: [...spanOptions(from, to), ...limits], bindings };
}

export function undoWork({ of, from, to, path }: Span, how: { readonly force: boolean; readonly dryRun: boolean }): OwnWork {
  const flags = [...(how.force ? ['--force'] : []), ...(how.dryRun ? ['--dry-run'] : [])];
  const bindings = [{ path: of, access: how.dryRun ? 'ro' : 'rw' }, { path: RESTORE, access: 'ro' }] as const;
  return { op: 'undo', root: of, path, options: [...spanOptions(from, to), ...flags], bindings };
}

function spanOptions(from: string, to: string | null): readonly string[] {
  return ['--store', RESTORE, '--from', from, ...(to === null ? [] : ['--to', to])];
}

const count = z.int().min(0);
const pointFacts = z.strictObject({ entries: count, bytes: count, kept: count, unread: count, moving: count, scope: z.string() });
const diffFacts = z.strictObject({ changes: count, shown: count, unread: count });
const undoFacts = z.strictObject({ done: z.boolean(), restored: count, removed: count, left: count, conflicts: count, unread: count });

export function readPoint(ran: RunResult): Result<z.infer<typeof pointFacts>> {
  return factsOf(ran, pointFacts);
}

export function readPoints(ran: RunResult): Result<readonly RestorePoint[]> {
  const facts = factsOf(ran, z.strictObject({ points: count }));
  if (!facts.ok) return facts;
  const groups = groupsOf(ran, 12);
  if (!groups.ok) return groups;
  const points: RestorePoint[] = [];
  for (const fields of groups.value) {
    const [id, of, scope, call, session, tool] = fields.slice(0, 6).map(decodeName) as unknown as readonly [string, string, string, string, string, string];
    const [at, entries, bytes, own, unread, moving] = fields.slice(6).map((field) => wholeNumber(field) ?? 0) as unknown as Six;
    points.push({ id, of, scope, call, session, tool, at, entries, bytes, own, unread, moving });
  }
  return accept(points);
}
type Six = readonly [number, number, number, number, number, number];

export type Side = { readonly kind: string; readonly mode: string; readonly size: number; readonly target: string } | null;
export type Change = {
  readonly what: 'added' | 'removed' | 'changed' | 'times';
  /** Relative to the directory that the point is of. */
  readonly path: string;
  readonly before: Side;
  readonly after: Side;
  /** Both contents, of small files without a NUL; bytes that are no UTF-8 are replaced, since it is only shown. */
  readonly texts: { readonly before: string; readonly after: string } | null;
};
export type Difference = { readonly changes: readonly Change[]; readonly all: number; readonly unread: number };

const WHATS = ['added', 'removed', 'changed', 'times'] as const;
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

export function readDiff(ran: RunResult): Result<Difference> {
  const facts = factsOf(ran, diffFacts);
  if (!facts.ok) return facts;
  const groups = groupsOf(ran, 13);
  if (!groups.ok) return groups;
  const changes = groups.value.flatMap((fields): readonly Change[] => {
    const what = WHATS.find((known) => known === lossy.decode(fields[0]));
    if (what === undefined) return [];
    const texts = lossy.decode(fields[10]) === 'text' ? { before: lossy.decode(fields[11]), after: lossy.decode(fields[12]) } : null;
    return [{ what, path: decodeName(fields[1]!), before: sideOf(fields.slice(2, 6)), after: sideOf(fields.slice(6, 10)), texts }];
  });
  return accept({ changes, all: facts.value.changes, unread: facts.value.unread });
}

function sideOf(fields: readonly Uint8Array[]): Side {
  const [kind, mode, size, target] = fields as readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  if (kind.length === 0) return null;
  return { kind: lossy.decode(kind), mode: lossy.decode(mode).padStart(4, '0'), size: wholeNumber(size) ?? 0, target: decodeName(target) };
}

export type Undone = z.infer<typeof undoFacts> & {
  readonly paths: readonly { readonly what: string; readonly path: string; readonly why: string }[];
};

export function readUndo(ran: RunResult): Result<Undone> {
  const facts = factsOf(ran, undoFacts);
  if (!facts.ok) return facts;
  const groups = groupsOf(ran, 3);
  if (!groups.ok) return groups;
  const paths = groups.value.slice(0, MOST_CHANGES).map((fields) => {
    const [what, path, why] = fields.map(decodeName) as unknown as readonly [string, string, string];
    return { what, path, why };
  });
  return accept({ ...facts.value, paths });
}

export function groupsOf(ran: RunResult, width: number): Result<readonly (readonly Uint8Array[])[]> {
  return readGroups(ran.stdout, width, ran.dropped.stdout > 0);
}

export function factsOf<T>(ran: RunResult, schema: z.ZodType<T>): Result<T> {
  if (ran.deadline) return refuse('it took longer than it may');
  if ('code' in ran.exit && ran.exit.code === 0) {
    const facts = parseFactLine(ran.stderr, schema);
    return facts === null ? refuse('the file tool ended well but told no facts') : accept(facts);
  }
  const fault = 'code' in ran.exit && ran.exit.code === 1 ? parseFactLine(ran.stderr, fileFault) : null;
  if (fault === null) return refuse(`the file tool ended with ${'code' in ran.exit ? `exit code ${ran.exit.code}` : ran.exit.signal} and told no error`);
  return refuse(`${fault.errno}: ${fault.path ?? 'it'} ${fault.what}`);
}
