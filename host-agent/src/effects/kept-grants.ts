// SPDX-License-Identifier: Apache-2.0
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readGrants, writeGrants } from '../capability/grant-file.ts';
import {
  allGrants, EMPTY_BOOK, expire, heldBy, revoke, useGrants, type Grant, type GrantBook, type GrantEnd,
} from '../capability/grant.ts';
import type { GrantId } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { GrantPort } from '../tool-call/ports.ts';

/** The book of grants that calls are judged against, kept in a file of this boot. */
export type KeptGrants = GrantPort & {
  readonly book: () => GrantBook;
  /** Holds at once. Refused when it cannot be kept: then a restart finds no grants at all, never older and wider ones (A29). */
  readonly replace: (book: GrantBook) => Result<null>;
  readonly end: (id: GrantId) => Result<null>;
  readonly close: () => void;
};

type Clock = { readonly now: () => number };

/** A timer measures a clock that stops in suspend; looking again this often finds an end that came meanwhile. */
const LOOK_MS = 30_000;

/**
 * `onEnded`: a grant has come to its end by itself, to be recorded. `onChanged`: what is held is no longer what it was. `note`: what a
 * person should know of the file, or null.
 */
export function keepGrants(
  dir: string,
  boot: string,
  clock: Clock,
  onEnded: (grant: Grant, how: GrantEnd) => void,
  onChanged: (book: GrantBook) => void = () => undefined,
): { readonly grants: KeptGrants; readonly note: string | null } {
  const path = join(dir, 'grants.json');
  const { book: found, note } = load(path, boot);
  let book = found;
  const revoked = new Set<GrantId>();
  let timer: NodeJS.Timeout | null = null;

  function replace(next: GrantBook): Result<null> {
    book = next;
    arm();
    const kept = store(path, writeGrants(book, boot));
    onChanged(book);
    return kept;
  }

  function arm(): void {
    if (timer !== null) clearTimeout(timer);
    const first = Math.min(...allGrants(book).map((grant) => grant.notAfter));
    timer = first === Infinity ? null : setTimeout(look, Math.min(Math.max(0, first - clock.now()), LOOK_MS));
    timer?.unref();
  }

  function look(): void {
    const change = expire(book, clock.now());
    if (change.ended.length > 0) replace(change.book);
    else arm();
    for (const grant of change.ended) onEnded(grant, 'expired');
  }

  look();
  const grants: KeptGrants = {
    book: () => book,
    replace,
    end: (id) => {
      revoked.add(id);
      return replace(revoke(book, id).book);
    },
    heldBy: (agent, session, now) => heldBy(book, agent, session, now),
    spend: (agent, used, now) => {
      const change = useGrants(book, agent, used.map((grant) => grant.id), now);
      if (!change.ok || change.value.book === book) return change;
      const kept = replace(change.value.book);
      for (const grant of change.value.ended) onEnded(grant, 'used up');
      return kept;
    },
    isRevoked: (id) => revoked.has(id),
    close: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
  return { grants, note };
}

function load(path: string, boot: string): { readonly book: GrantBook; readonly note: string | null } {
  try {
    // As of the beginning of time: those that ended while nobody looked are ended, and recorded, by the first look.
    const read = readGrants(readFileSync(path, 'utf8'), boot, Number.NEGATIVE_INFINITY);
    return read.ok ? { book: read.value, note: null } : { book: EMPTY_BOOK, note: read.error };
  } catch (fault) {
    const missing = (fault as NodeJS.ErrnoException).code === 'ENOENT';
    return { book: EMPTY_BOOK, note: missing ? null : `cannot read ${path}: ${String(fault)}; nothing is granted` };
  }
}

/** Whole or not at all: a reader sees the old file or the new one. /run is memory, so there is no disk to wait for. */
function store(path: string, text: string): Result<null> {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
    return accept(null);
  } catch (fault) {
    return refuse(`the grants cannot be kept over a restart of holdfastd (${String(fault)}); ${forgotten(path)}`);
  }
}

function forgotten(path: string): string {
  try {
    unlinkSync(path);
    return 'it would start without any';
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return 'it would start without any';
    return `and the file of older ones stays: remove ${path} before a restart`;
  }
}
