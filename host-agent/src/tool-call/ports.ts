// SPDX-License-Identifier: Apache-2.0
import type { Capability } from '../capability/capability.ts';
import type { Grant, HeldGrants } from '../capability/grant.ts';
import type { AuthorityRequest } from '../capability/request-book.ts';
import type { AgentName, CallId, GrantId, SessionId } from '../identity/ids.ts';
import type { Result } from '../identity/result.ts';
import type { EntryDraft, JsonObject, JsonValue } from '../ledger/entry.ts';
import type { Receipt } from '../ledger/receipt.ts';
import type { RunResult } from '../sandbox/permit.ts';
import type { Change, FetchRequest, Observation, ShellUse, Tool } from '../tools/tool.ts';
import type { RestorePort } from './keep-first.ts';
import type { RecordedIntent, RecordedNetPermit, RecordedPermit } from './recorded-permit.ts';
import type { RedactPort } from './redact.ts';

/** What handling a tool call needs of the world, each as narrow as can be. */
export type ToolCallPorts = {
  readonly tools: ReadonlyMap<string, Tool>;
  readonly ledger: LedgerPort;
  readonly grants: GrantPort;
  readonly requests: RequestPort;
  readonly runner: RunnerPort;
  readonly containers: ContainerPort;
  readonly observer: ObserverPort;
  readonly changer: ChangerPort;
  readonly shells: ShellPort;
  readonly fetcher: FetcherPort;
  readonly restore: RestorePort;
  readonly redact: RedactPort;
  readonly clock: ClockPort;
  /** The kernel's word, now: all profiles of this agent are loaded and enforce. */
  readonly confined: (agent: AgentName) => Result<null>;
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

/** On a container of the agent whose intent this is; no other agent's is within its reach. */
export type ContainerPort = { readonly act: (intent: RecordedIntent, name: string, act: 'logs' | 'stop') => Promise<Result<JsonValue>> };

export type ObserverPort = { readonly observe: (intent: RecordedIntent, observation: Observation) => Promise<Result<JsonValue>> };

/** Resolves with what was seen before and after. Whoever has no recorded intent cannot ask (E06). */
export type ChangerPort = { readonly change: (intent: RecordedIntent, change: Change) => Promise<Result<JsonObject>> };

/** One request, within the agent's quota; it ends with the first of those grants that is revoked. */
export type FetcherPort = {
  readonly fetch: (intent: RecordedNetPermit, request: FetchRequest, grants: readonly GrantId[], cancelled: AbortSignal) => Promise<Result<JsonObject> & RefusedBy>;
};

/** The rule of holdfast-egress, or of a quota, that ended it after it was on record. */
export type RefusedBy = { readonly rule?: string };

/** Shells that agents have open. A shell is known by the id of the call that opened it. */
export type ShellPort = {
  /** Of this agent, and not forgotten: one that has ended is still read. */
  readonly isOpen: (agent: AgentName, shell: string) => boolean;
  readonly hasRoom: (agent: AgentName) => Result<true>;
  /** Answers when it has shown something, or has ended before. It ends with that session, and with the first of those grants that is revoked. */
  readonly open: (permit: RecordedPermit, owner: ShellOwner, cancelled: AbortSignal) => Promise<OpenedShell>;
  readonly use: (intent: RecordedIntent, shell: string, use: ShellUse, bounds: { readonly notAfter: number; readonly cancelled: AbortSignal }) => Promise<Result<JsonValue>>;
  /** Does `then` when the shell that this call opened has ended; at once, with null, where it opened none. What it returns is waited for. */
  readonly afterwards: (call: CallId, then: (end: ShellEnd | null) => unknown) => void;
};
export type ShellOwner = { readonly session: SessionId; readonly grants: readonly GrantId[] };
export type OpenedShell = { readonly stands: true; readonly seen: JsonValue } | { readonly stands: false; readonly end: ShellEnd };

/** `closed`: by its agent. `lost`: nobody can say what became of it. */
export type ShellEnding = 'itself' | 'closed' | 'idle' | 'deadline' | 'revoked' | 'disconnected' | 'cancelled' | 'unrecorded' | 'stopping' | 'lost';
export type ShellEnd = {
  readonly how: ShellEnding;
  readonly ran: Result<RunResult>;
  /** The file of what was typed and shown; null when none could be begun. `missed`: bytes that did not fit. */
  readonly transcript: { readonly digest: string; readonly bytes: number; readonly missed: number } | null;
};

export type ClockPort = {
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly now: () => number;
  /** RFC 3339, for people. */
  readonly wall: () => string;
  readonly sleep: (ms: number) => Promise<void>;
};
