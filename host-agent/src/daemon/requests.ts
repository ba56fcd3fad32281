// SPDX-License-Identifier: Apache-2.0
import { hasRoom, openRequest, withRequest, withoutRequests, type RequestBook } from '../capability/request-book.ts';
import type { DeclaredAgent } from '../config/declared.ts';
import type { RequestPort } from '../tool-call/ports.ts';

/** Open wishes, in memory: an agent whose wish a restart forgets asks again, and the ledger has both. */
export type OpenRequests = RequestPort & {
  readonly book: () => RequestBook;
  readonly replace: (book: RequestBook) => void;
  readonly keepOnly: (agents: readonly DeclaredAgent[]) => void;
};

export function openRequests(nextId: () => string): OpenRequests {
  let book: RequestBook = [];
  return {
    book: () => book,
    replace: (next) => {
      book = next;
    },
    keepOnly: (agents) => {
      const gone = book.filter((request) => !agents.some((agent) => agent.name === request.agent));
      book = withoutRequests(book, new Set(gone.map((request) => request.id)));
    },
    find: (agent, capability) => openRequest(book, agent, capability),
    hasRoom: (agent) => hasRoom(book, agent),
    nextId,
    add: (request) => {
      book = withRequest(book, request);
    },
    remove: (id) => {
      book = withoutRequests(book, new Set([id]));
    },
  };
}
