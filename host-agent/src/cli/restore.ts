// SPDX-License-Identifier: Apache-2.0
import type { DiffView, EtcView, UndoView } from '../door/operator-wire.ts';
import type { Change, RestorePoint, Side } from '../tools/restore-calls.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { lineDiff } from './line-diff.ts';
import { findTarget, undoCommand, type Found } from './restore-target.ts';
import { columns, styled, type Style } from './screen.ts';
import { unavailable, withLedger } from './with-ledger.ts';

export async function points(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly RestorePoint[]>(io, { op: 'points', agent: given.operands[0] ?? '' });
  if (!answer.ok) return answer.exit;
  if (given.options.has('json')) {
    for (const point of answer.value) io.screen.json(point);
    return EXIT.ok;
  }
  if (answer.value.length === 0) io.screen.line('there are no restore points yet: the first call that may write makes one, and so does the start of a contained agent');
  const rows = answer.value.map((p) => [p.id, new Date(p.at).toISOString().slice(0, 19), String(p.entries), missing(p), p.tool, whole(p.of, p.scope)]);
  if (rows.length > 0) for (const line of columns([['POINT', 'TIME (UTC)', 'PATHS', 'LACKS', 'BEFORE', 'OF'], ...rows])) io.screen.line(line);
  return EXIT.ok;
}

export async function etcList(io: Io, given: Given): Promise<ExitCode> {
  const answer = await ask<readonly EtcView[]>(io, { op: 'etc' });
  if (!answer.ok) return answer.exit;
  for (const view of answer.value) {
    if (given.options.has('json')) io.screen.json(view);
    else io.screen.line(styled(view.path, 'bold'), `  ${view.agents.length === 0 ? 'no agent can be granted it' : view.agents.join(' ')}`);
  }
  return EXIT.ok;
}

function missing({ unread, moving }: RestorePoint): string {
  return unread + moving === 0 ? '-' : String(unread + moving);
}

export async function diff(io: Io, given: Given): Promise<ExitCode> {
  const found = await targetOf(io, given);
  if (!found.ok) return found.exit;
  const { agent, target } = found.value;
  const answer = await ask<readonly DiffView[]>(io, { op: 'diff', agent, target, path: given.operands[1] ?? null });
  if (!answer.ok) return answer.exit;
  for (const view of answer.value) {
    if (given.options.has('json')) io.screen.json(view);
    else showDiff(io, view, given.options.has('names'));
  }
  return EXIT.ok;
}

const STYLES: Readonly<Record<string, Style>> = { added: 'green', removed: 'red', '+': 'green', '-': 'red', '@': 'dim' };

function showDiff(io: Io, view: DiffView, namesOnly: boolean): void {
  io.screen.line(styled(`${view.of}: ${count(view.all, 'change')} from ${view.from} to ${view.to === null ? 'now' : (view.to.split(',').at(-1) ?? '')}`, 'bold'));
  for (const change of view.changes) {
    const style = STYLES[change.what];
    const head = `${change.what.padEnd(8)} ${whole(view.of, change.path)}${detail(change)}`;
    io.screen.line(style === undefined ? head : styled(head, style));
    if (namesOnly || change.texts === null) continue;
    for (const { mark, text } of lineDiff(change.texts.before, change.texts.after)) {
      const colour = STYLES[mark];
      io.screen.line(colour === undefined ? `  ${mark} ${text}` : styled(`  ${mark} ${text}`, colour));
    }
  }
  if (view.all > view.changes.length) io.screen.line(`... and ${view.all - view.changes.length} more; name a path to see them`);
  tellUnread(io, view.unread);
}

function tellUnread(io: Io, unread: number): void {
  if (unread > 0) io.screen.complain(styled('note: ', 'yellow'), `${count(unread, 'path')} could not be read for the restore point, and cannot be compared or undone`);
}

function detail({ what, before, after }: Change): string {
  if (before === null || after === null) return ` (${sideOf(before ?? after)})`;
  if (what === 'times') return ' (only its time)';
  return sideOf(before) === sideOf(after) ? ` (${sideOf(after)})` : ` (${sideOf(before)} -> ${sideOf(after)})`;
}

function sideOf(side: Side): string {
  if (side === null) return 'nothing';
  const { kind, mode, size, target } = side;
  return kind === 'link' ? `link to ${target}` : kind === 'file' ? `file ${mode}, ${count(size, 'byte')}` : `${kind} ${mode}`;
}

export async function undo(io: Io, given: Given): Promise<ExitCode> {
  const found = await targetOf(io, given);
  if (!found.ok) return found.exit;
  const { agent, target } = found.value;
  const [force, dryRun] = [given.options.has('force'), given.options.has('dry-run')];
  const answer = await ask<readonly UndoView[]>(io, { op: 'undo', agent, target, path: given.operands[1] ?? null, force, dryRun });
  if (!answer.ok) return answer.exit;
  let good = true;
  for (const view of answer.value) {
    if (given.options.has('json')) io.screen.json(view);
    else showUndo(io, agent, view, dryRun);
    good &&= dryRun || view.done || view.restored + view.removed === 0;
    good &&= view.left === 0 && (view.conflicts === 0 || force);
  }
  return good ? EXIT.ok : EXIT.refused;
}

function showUndo(io: Io, agent: string, view: UndoView, dryRun: boolean): void {
  const would = view.done ? '' : 'would be ';
  for (const { what, path, why } of view.paths) {
    if (what === 'conflict') continue;
    io.screen.line(`${what === 'left' ? 'cannot be undone: ' : `${would}${what}: `}${whole(view.of, path)}${why === '' ? '' : ` (${why})`}`);
  }
  const conflicts = view.paths.filter(({ what }) => what === 'conflict');
  for (const { path } of conflicts) io.screen.complain(styled('changed since: ', 'yellow'), whole(view.of, path));
  tellUnread(io, view.unread);
  const sum = `${view.restored} brought back, ${view.removed} removed${view.left > 0 ? `, ${view.left} left as they are` : ''}`;
  if (view.done) {
    io.screen.line(styled(`${view.of}: ${sum}`, 'bold'), `; to undo this: ${view.point === null ? 'holdfast undo with its entry in holdfast log' : undoCommand(view.point, agent)}`);
  } else if (view.restored + view.removed === 0 && conflicts.length === 0) {
    io.screen.line(`${view.of}: nothing to undo; it is as it was`);
  } else if (dryRun) {
    io.screen.line(`${view.of}: nothing was done; without --dry-run ${sum}`);
  } else {
    io.screen.complain(styled('refused: ', 'red'), `${count(conflicts.length, 'path')} changed since, so nothing was done; look with holdfast diff, name a path, or use --force to lose those changes`);
  }
}

async function targetOf(io: Io, given: Given): Promise<{ readonly ok: true; readonly value: Found } | { readonly ok: false; readonly exit: ExitCode }> {
  const found = await withLedger(io, (ledger) => findTarget(ledger, given.operands[0] ?? '', given.options.get('agent') ?? null));
  if (!found.ok) return { ok: false, exit: unavailable(io, found.error) };
  if (found.value.ok) return found.value;
  io.screen.complain(styled('refused: ', 'red'), found.value.error);
  return { ok: false, exit: EXIT.refused };
}

function whole(of: string, path: string): string {
  return path === '.' ? of : `${of}/${path}`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
