// SPDX-License-Identifier: Apache-2.0
import type { LedgerReader, ReadEntry } from '../effects/ledger-client.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { ENTRY_KINDS, type JsonObject } from '../ledger/entry.ts';
import type { QueryFilter } from '../ledger/filter.ts';
import { wholeNumber, type Given } from './command.ts';
import { parseDuration } from './duration.ts';
import { openEntryView } from './entry-view.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { usage } from './run-command.ts';
import { entryOf } from './stored-entry.ts';
import { unavailable, withLedger } from './with-ledger.ts';

const PAGE = 500;
const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

export async function log(io: Io, given: Given): Promise<ExitCode> {
  const filter = filterOf(given, Date.now());
  if (!filter.ok) return usage(io, filter.error);
  const limit = wholeNumber('limit', given.options.get('limit') ?? '30', 1, 10_000);
  if (!limit.ok) return usage(io, limit.error);
  const view = given.options.has('json') ? jsonView(io) : openEntryView(io.screen);
  const read = await withLedger(io, async (ledger) => {
    const newest = await newestEntries(ledger, filter.value, limit.value);
    for (const entry of newest) view.show(entry);
    view.pause();
    if (!given.options.has('follow')) return;
    // From the last one shown on: what was written between the two questions is not lost.
    const after = newest.at(-1);
    const from = after === undefined ? {} : { afterSeq: after.seq };
    await ledger.follow({ ...filter.value, ...from } as JsonObject, view.show, io.stop).finally(view.pause);
  });
  return read.ok ? EXIT.ok : unavailable(io, read.error);
}

/** The newest entries that match, oldest first. */
export async function newestEntries(ledger: LedgerReader, filter: QueryFilter, limit: number): Promise<readonly ReadEntry[]> {
  const found: ReadEntry[] = [];
  let before: number | null = null;
  while (found.length < limit) {
    const from: QueryFilter = before === null ? filter : { ...filter, beforeSeq: before };
    const page = await ledger.query({ ...from, limit: Math.min(PAGE, limit - found.length), newestFirst: true } as JsonObject);
    found.push(...page.entries);
    if (page.next === null) break;
    before = page.next;
  }
  return found.reverse();
}

/** Every entry whole and by itself; one that is damaged is shown as what lies there. */
function jsonView(io: Io): { readonly show: (read: ReadEntry) => void; readonly pause: () => void } {
  const show = (read: ReadEntry): void => {
    const { seq, bytes, hash } = read;
    io.screen.json(entryOf(read) ?? { damaged: true, seq, hash, bytes });
  };
  return { show, pause: () => undefined };
}

function filterOf(given: Given, now: number): Result<QueryFilter> {
  const { options } = given;
  const kind = options.get('kind');
  if (kind !== undefined && !ENTRY_KINDS.some((known) => known === kind)) {
    return refuse(`--kind must be a kind of entry, not "${kind}"; one of: ${ENTRY_KINDS.join(', ')}`);
  }
  const since = timeOf('since', options.get('since'), now);
  if (!since.ok) return since;
  const until = timeOf('until', options.get('until'), now);
  if (!until.ok) return until;
  const actor = options.get('actor');
  if (actor !== undefined && !/^(?:agent|user|system):./.test(actor)) {
    return refuse(`--actor must be agent:NAME, user:NAME or system:NAME, not "${actor}"`);
  }
  const plain = Object.fromEntries(['agent', 'kind', 'tool', 'outcome', 'actor', 'trace'].flatMap((name) => {
    const value = options.get(name);
    return value === undefined ? [] : [[name, value]];
  })) as QueryFilter;
  const times = { ...(since.value === null ? {} : { since: since.value }), ...(until.value === null ? {} : { until: until.value }) };
  return accept({ ...plain, ...times });
}

function timeOf(option: string, text: string | undefined, now: number): Result<string | null> {
  if (text === undefined) return accept(null);
  const back = parseDuration(text);
  if (back.ok) return accept(new Date(now - back.value).toISOString());
  const at = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return accept(new Date(at).toISOString());
  return refuse(`--${option} must be a time like 2026-11-21T09:00:00Z or a duration like 10m, not "${text}"`);
}
