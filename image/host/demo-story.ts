// SPDX-License-Identifier: Apache-2.0
// What the demo agent did, for somebody who sees Holdfast for the first time: from the ledger and the agent's own words to at most
// 24 lines. Every entry stays in `holdfast log`.

/** As much of a ledger entry as is read here. */
export type StoryEntry = { readonly seq: number; readonly kind: string; readonly actor: { readonly id: string }; readonly data: Record<string, unknown> };

const WIDTH = 118;
const MOST_LINES = 24;

/** Of its last run. @param said what the agent printed, one line each */
export function demoStory(entries: readonly StoryEntry[], said: readonly string[]): readonly string[] {
  const inOrder = sinceStart(entries.toSorted((a, b) => a.seq - b.seq));
  const lines = [...allowed(inOrder), ...refused(inOrder), ...byHand(said), ...authority(inOrder)];
  if (lines.length <= MOST_LINES) return lines;
  return [...lines.slice(0, MOST_LINES - 1), `(${lines.length - MOST_LINES + 1} more lines; see holdfast log)`];
}

/** A machine that is kept has the runs before in its ledger too. */
function sinceStart(entries: readonly StoryEntry[]): readonly StoryEntry[] {
  return entries.slice(Math.max(0, entries.findLastIndex(({ kind }) => kind === 'agent.started')));
}

function allowed(entries: readonly StoryEntry[]): readonly string[] {
  const done = new Set(entries.filter(({ kind, data }) => kind === 'call.outcome' && data['status'] === 'ok').map(({ data }) => data['intent']));
  const calls = entries.filter(({ kind, seq }) => kind === 'call.intent' && done.has(seq));
  const counts = new Map<string, number>();
  for (const call of calls.map(withRule)) counts.set(call, (counts.get(call) ?? 0) + 1);
  return [...counts].flatMap(([call, times]) => rows('allowed', times > 1 ? `${call} (${times} times)` : call));
}

function refused(entries: readonly StoryEntry[]): readonly string[] {
  const remedies = new Map(entries.filter(({ kind }) => kind === 'call.refused').map((call) => [withRule(call), text(call.data['remedy'])]));
  return [...remedies].flatMap(([call, remedy]) => [...rows('REFUSED', call), ...rows('', remedy)]);
}

/** Past its door nothing is recorded as a call, for nothing happens: the kernel refuses. */
function byHand(said: readonly string[]): readonly string[] {
  const acts = (form: RegExp) => [...new Set(said.flatMap((line) => form.exec(line)?.[1] ?? []))];
  const denied = acts(/^denied +(.*)$/);
  const went = acts(/^ALLOWED +(.*)$/);
  const tried = denied.length === 0 ? [] : rows('by hand', `without its door it tried ${denied.length} acts; the kernel refused ${denied.join(', ')}`, 3);
  return [...tried, ...went.flatMap((act) => rows('BY HAND', `the kernel did not refuse: ${act}`))];
}

function authority(entries: readonly StoryEntry[]): readonly string[] {
  return entries.flatMap(({ kind, actor, data }) => {
    const capability = text(data['capability']);
    if (kind === 'grant.requested') return rows('asked', `${capability}: ${text(data['reason'])}`);
    if (kind === 'grant.given') return rows('granted', `${capability} by ${actor.id}`);
    if (kind === 'grant.ended') return rows('ended', `${capability}: ${text(data['how'])}`);
    return [];
  });
}

function withRule({ data }: StoryEntry): string {
  const given = typeof data['arguments'] === 'object' && data['arguments'] !== null ? (data['arguments'] as Record<string, unknown>) : {};
  const subject = ['path', 'program', 'unit', 'capability', 'url'].map((name) => given[name]).find((known) => known !== undefined);
  return `${text(data['tool'])}${subject === undefined ? '' : ` ${text(subject)}`} (${text(data['rule'])})`;
}

/** Printable ASCII and one line, whatever an agent wrote; more than fits in `most` lines is cut. */
function rows(head: string, words: string, most = 2): readonly string[] {
  const clean = words.replaceAll(/[^\x20-\x7e]/g, '?');
  const room = WIDTH - 12;
  const lines: string[] = [];
  let rest = clean;
  while (rest.length > room && lines.length < most - 1) {
    const at = rest.lastIndexOf(' ', room);
    lines.push(rest.slice(0, at > 0 ? at : room));
    rest = rest.slice(at > 0 ? at + 1 : room);
  }
  lines.push(rest.length > room ? `${rest.slice(0, room - 3)}...` : rest);
  return lines.map((line, i) => `  ${(i === 0 ? head : '').padEnd(8)}  ${line}`);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '-' : JSON.stringify(value);
}
