// SPDX-License-Identifier: Apache-2.0
import { MOST_AFTER } from '../door/operator-wire.ts';
import type { LedgerReader, ReadEntry } from '../effects/ledger-client.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Entry, EntryKind, JsonObject } from '../ledger/entry.ts';
import type { QueryFilter } from '../ledger/filter.ts';
import { isObject } from '../ledger/shape.ts';
import type { RestoreTarget } from '../tool-call/choose-points.ts';
import { newestEntries } from './log.ts';
import { entryOf } from './stored-entry.ts';

export type Found = { readonly agent: string; readonly target: RestoreTarget };

/** So far back a session is looked for. */
const MOST_ENTRIES = 20_000;
const MOST_STARTS = 1_000;

/** The command that brings everything back to a point. */
export function undoCommand(point: string, agent: string): string {
  return `holdfast undo ${point} --agent ${agent}`;
}

/** What a word names: an entry, a session, a restore point (of an agent that is named), or an agent, which stands for its last session. */
export async function findTarget(ledger: LedgerReader, word: string, agent: string | null): Promise<Result<Found>> {
  if (/^[1-9][0-9]{0,15}$/.test(word)) return ofEntry(ledger, Number(word));
  if (word === 'image') return agent === null ? refuse('image needs --agent: an agent that may be granted to change that directory; see: holdfast etc list') : accept({ agent, target: { kind: 'image' } });
  if (/^p-[0-9a-f]+$/.test(word)) {
    return agent === null ? refuse('a restore point needs --agent: each agent has its own') : accept({ agent, target: { kind: 'point', point: word } });
  }
  return /^s-[0-9a-f]+$/.test(word) ? ofSession(ledger, word) : ofAgent(ledger, word);
}

async function ofEntry(ledger: LedgerReader, seq: number): Promise<Result<Found>> {
  const [read] = (await ledger.query({ afterSeq: seq - 1, limit: 1 })).entries;
  const entry = read === undefined ? null : entryOf(read);
  if (entry === null || entry.seq !== seq) return refuse(`there is no entry ${seq}; see: holdfast log`);
  if (entry.kind.startsWith('unmediated.')) {
    const agent = String(entry.data['agent'] ?? entry.actor.id);
    return refuse(`entry ${seq} is of the agent's own hands, which are taken back with the whole run or by path: holdfast undo ${agent} [PATH]`);
  }
  if (entry.kind === 'agent.started' && pointsOf(entry.data).length > 0) return ofRun(ledger, entry);
  const intent = entry.kind === 'call.outcome' ? await entryAt(ledger, entry.data['intent']) : entry;
  if (intent === null || intent.kind !== 'call.intent') return refuse(`entry ${seq} is about no call that ran, so there is nothing to undo`);
  const { call, agent, tool } = intent.data;
  if (pointsOf(intent.data).length === 0 && !hasPointOfItsOwn(tool)) {
    return refuse(`entry ${seq} (${String(tool)}) could change nothing that restore points are made of; what else it did cannot be undone`);
  }
  return accept({ agent: String(agent), target: { kind: 'call', call: String(tool === 'project.clone' ? putOf(intent.data) : call) } });
}

/** A bundle of git becomes a repository in a second call; what was kept, was kept before the first. */
function putOf({ arguments: given }: JsonObject): unknown {
  return isObject(given) ? given['put'] : null;
}

async function entryAt(ledger: LedgerReader, seq: unknown): Promise<Entry | null> {
  if (typeof seq !== 'number') return null;
  const [read] = (await ledger.query({ afterSeq: seq - 1, limit: 1 })).entries;
  return read === undefined ? null : entryOf(read);
}

/** The last one that had a point: of calls, or the run of a contained agent's program, which holds the calls that it made meanwhile. */
async function ofAgent(ledger: LedgerReader, agent: string): Promise<Result<Found>> {
  const last = (await callsWithPoints(ledger, { agent })).at(-1);
  const run = (await startsWithPoints(ledger, { agent })).at(-1);
  if (run !== undefined && (last === undefined || last.seq < ((await endOf(ledger, run))?.seq ?? Infinity))) return ofRun(ledger, run);
  if (last === undefined) return refuse(`nothing that an agent ${agent} did has put anything at stake yet`);
  return ofSession(ledger, String(last.data['session']));
}

async function ofSession(ledger: LedgerReader, session: string): Promise<Result<Found>> {
  const first = (await callsWithPoints(ledger, {})).find(({ data }) => data['session'] === session);
  if (first !== undefined) return accept({ agent: String(first.data['agent']), target: { kind: 'session', session, first: String(first.data['call']) } });
  const run = (await startsWithPoints(ledger, {})).find(({ data }) => data['session'] === session);
  return run === undefined ? refuse(`session ${session} has put nothing at stake, or is long ago`) : ofRun(ledger, run);
}

/** What was kept before a contained agent's program was started, and what was kept first after its end. */
async function ofRun(ledger: LedgerReader, start: Entry): Promise<Result<Found>> {
  const agent = String(start.data['agent']);
  const end = await endOf(ledger, start);
  const made = end === null ? [] : (await ledger.query({ kind: 'call.intent', agent, tool: 'restore.point', afterSeq: end.seq, limit: MOST_AFTER })).entries;
  const since = made.flatMap((read) => entryOf(read) ?? []).map(({ data }) => (isObject(data['arguments']) ? data['arguments']['point'] : null));
  // The end that is a start: its own point comes before it.
  const after = [...(end === null ? [] : pointsOf(end.data)), ...since.filter((point) => typeof point === 'string')];
  return accept({ agent, target: { kind: 'run', point: pointsOf(start.data)[0]!, after: after.slice(0, MOST_AFTER) } });
}

/** Its recorded end, or the next start where none is on record, as when the power went; null while it runs. */
async function endOf(ledger: LedgerReader, { seq, data }: Entry): Promise<Entry | null> {
  const next = (kind: EntryKind): ReturnType<LedgerReader['query']> => ledger.query({ kind, agent: String(data['agent']), afterSeq: seq, limit: 1 });
  const found = [await next('agent.stopped'), await next('agent.started')].flatMap(({ entries }) => entries.flatMap((read) => entryOf(read) ?? []));
  return found.toSorted((a, b) => a.seq - b.seq)[0] ?? null;
}

async function callsWithPoints(ledger: LedgerReader, of: QueryFilter): Promise<readonly Entry[]> {
  return withPoints(await newestEntries(ledger, { ...of, kind: 'call.intent' }, MOST_ENTRIES)).filter(({ data }) => typeof data['session'] === 'string');
}

async function startsWithPoints(ledger: LedgerReader, of: QueryFilter): Promise<readonly Entry[]> {
  return withPoints(await newestEntries(ledger, { ...of, kind: 'agent.started' }, MOST_STARTS));
}

function withPoints(read: readonly ReadEntry[]): readonly Entry[] {
  return read.flatMap((one) => entryOf(one) ?? []).filter(({ data }) => pointsOf(data).length > 0);
}

export function pointsOf(data: JsonObject): readonly string[] {
  const points = data['restore'];
  return Array.isArray(points) ? points.filter((point) => typeof point === 'string') : [];
}

/** Made by the same act, and not named in the entry. */
function hasPointOfItsOwn(tool: unknown): boolean {
  return tool === 'restore.undo' || tool === 'project.put' || tool === 'project.clone' || tool === 'project.bundle';
}
