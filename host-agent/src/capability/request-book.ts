// SPDX-License-Identifier: Apache-2.0
import type { AgentName } from '../identity/ids.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { formatCapability, type Capability } from './capability.ts';

/** What an agent asked an operator for (authority.request). A wish: nothing in it is authority, and its reason is an agent's text. */
export type AuthorityRequest = {
  readonly id: string;
  readonly agent: AgentName;
  readonly capability: Capability;
  readonly forMs: number;
  readonly reason: string;
  /** RFC 3339, for people. */
  readonly askedAt: string;
};

export type RequestBook = readonly AuthorityRequest[];

/** Enough for honest work; more open wishes of one agent would only bury the operator (B22). */
export const MAX_OPEN_REQUESTS = 16;

/** The open request for the same thing, so that asking twice is one wish. */
export function openRequest(book: RequestBook, agent: AgentName, capability: Capability): AuthorityRequest | null {
  const text = formatCapability(capability);
  return book.find((known) => known.agent === agent && formatCapability(known.capability) === text) ?? null;
}

export function hasRoom(book: RequestBook, agent: AgentName): Result<true> {
  const open = book.filter((known) => known.agent === agent).length;
  if (open < MAX_OPEN_REQUESTS) return accept(true);
  return refuse(`${open} requests of this agent are open; wait until an operator has answered`);
}

export function withRequest(book: RequestBook, request: AuthorityRequest): RequestBook {
  return [...book, request];
}

/** Answered or withdrawn. */
export function withoutRequests(book: RequestBook, ids: ReadonlySet<string>): RequestBook {
  return book.filter((request) => !ids.has(request.id));
}
