// SPDX-License-Identifier: Apache-2.0
import type { Capability } from '../capability/capability.ts';
import type { Grant, HeldGrants } from '../capability/grant.ts';
import type { AuthorityRequest } from '../capability/request-book.ts';
import type { AgentName, GrantId, SessionId } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';
import type { EntryDraft, JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { RunResult } from '../sandbox/permit.ts';
import type { Observation, Tool } from '../tools/tool.ts';
import type { RecordedIntent, RecordedPermit } from './recorded-permit.ts';

/** What handling a tool call needs of the world, each as narrow as can be. */
export type ToolCallPorts = {
  readonly tools: ReadonlyMap<string, Tool>;
  readonly ledger: LedgerPort;
  readonly grants: GrantPort;
  readonly requests: RequestPort;
  readonly runner: RunnerPort;
  readonly observer: ObserverPort;
  readonly clock: ClockPort;
  /** A fault of ours: for the log. The agent is told no more than that there was one. */
  readonly onFault: (error: unknown) => void;
};

/** Resolves when the entry is on disk, and never before. */
export type LedgerPort = { readonly append: (draft: EntryDraft, permit: PermitStamp | null) => Promise<Result<Appended>> };
export type PermitStamp = { readonly digest: string; readonly agent: AgentName; readonly notAfter: number };
export type Appended = { readonly seq: number; readonly hash: string; readonly receipt: Receipt | null };

/** All synchronous: judging and spending happen in one turn, so that no other call comes between (A25). */
export type GrantPort = {
  readonly heldBy: (agent: AgentName, session: SessionId, now: number) => HeldGrants;
  /** One use of each. What this ends is recorded by who keeps the book. */
  readonly spend: (agent: AgentName, grants: readonly Grant[], now: number) => Result<unknown>;
  /** True from the moment a revocation is acknowledged (A16). */
  readonly isRevoked: (grant: GrantId) => boolean;
};

export type RequestPort = {
  /** The open request of this agent for the same thing. */
  readonly find: (agent: AgentName, capability: Capability) => AuthorityRequest | null;
  readonly hasRoom: (agent: AgentName) => Result<true>;
  readonly nextId: () => string;
  readonly add: (request: AuthorityRequest) => void;
  /** For one that cannot be recorded. */
  readonly remove: (id: string) => void;
};

/** Refuses with a reason when the runner would not or could not run it. `cancelled` ends what it runs; the answer comes all the same. */
export type RunnerPort = {
  readonly run: (permit: RecordedPermit, stdin: Uint8Array | null, cancelled: AbortSignal) => Promise<Result<RunResult>>;
};

export type ObserverPort = { readonly observe: (intent: RecordedIntent, observation: Observation) => Promise<Result<JsonValue>> };

export type ClockPort = {
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly now: () => number;
  /** RFC 3339, for people. */
  readonly wall: () => string;
};
