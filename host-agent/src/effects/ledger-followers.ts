// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { SealedEntry } from '../ledger/chain.ts';
import { matches, type QueryFilter } from '../ledger/filter.ts';
import { rowOf, type LedgerStore, type StoredEntry } from '../ledger/ledger-store.ts';
import { writeJsonLine } from './json-lines.ts';
import { shown } from './ledger-query-server.ts';

export type Followers = {
  /** Sends what matches from `afterSeq` on, else from now on, for as long as the connection lives. */
  readonly add: (socket: Socket, id: number, filter: QueryFilter) => void;
  readonly committed: (batch: readonly SealedEntry[]) => void;
};

/** A reader that is behind by more than this gets no more until it has read. */
const ENOUGH_UNSENT = 256 * 1024;

type Follower = {
  readonly socket: Socket;
  readonly id: number;
  readonly filter: QueryFilter;
  /** Everything up to here was sent or did not match. */
  seen: number;
  catchingUp: boolean;
};

/**
 * Nothing is queued for a slow reader: it keeps its place and reads from the store when it is ready again. Who is up to
 * date gets new entries without another search.
 */
export function ledgerFollowers(store: LedgerStore): Followers {
  const followers = new Set<Follower>();

  function add(socket: Socket, id: number, filter: QueryFilter): void {
    const follower: Follower = { socket, id, filter, seen: filter.afterSeq ?? store.head().seq, catchingUp: false };
    followers.add(follower);
    socket.on('close', () => followers.delete(follower));
    void catchUp(follower);
  }

  function committed(batch: readonly SealedEntry[]): void {
    const rows = batch.map(rowOf);
    for (const follower of followers) {
      const upToDate = follower.seen === rows[0]!.seq - 1 && follower.socket.writableLength <= ENOUGH_UNSENT;
      if (follower.catchingUp || !upToDate) {
        void catchUp(follower);
        continue;
      }
      send(follower, rows.filter((row) => matches(follower.filter, row)));
      follower.seen = rows.at(-1)!.seq;
    }
  }

  async function catchUp(follower: Follower): Promise<void> {
    if (follower.catchingUp) return;
    follower.catchingUp = true;
    try {
      while (!follower.socket.destroyed && follower.seen < store.head().seq) {
        if (follower.socket.writableLength > ENOUGH_UNSENT) await once(follower.socket, 'drain');
        const newest = store.head().seq;
        const page = await store.query({ ...follower.filter, afterSeq: follower.seen });
        send(follower, page.entries);
        follower.seen = page.next ?? newest;
      }
    } catch (fault) {
      const error = `cannot read the ledger: ${fault instanceof Error ? fault.message : String(fault)}`;
      writeJsonLine(follower.socket, { id: follower.id, ok: false, error });
      follower.socket.destroy();
    } finally {
      follower.catchingUp = false;
    }
  }

  return { add, committed };
}

function send({ socket, id }: Follower, entries: readonly StoredEntry[]): void {
  for (const entry of entries) writeJsonLine(socket, { id, entry: shown(entry) });
}
