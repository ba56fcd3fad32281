// SPDX-License-Identifier: Apache-2.0
import type { AgentAuthority } from '../gate/authority.ts';
import type { CallId, SessionId } from '../identity/ids.ts';

/** One call as a door hands it over. Agent and session come from the kernel's word about the connection, never from the message. */
export type ToolCall = {
  readonly id: CallId;
  readonly session: SessionId;
  readonly agent: AgentAuthority;
  /** As the client sent them: not yet known, not yet of any shape. */
  readonly tool: string;
  readonly arguments: unknown;
  readonly trace: { readonly trace: string; readonly span: string } | null;
  /** Fires when its client wants no answer any more, or is gone. */
  readonly cancelled: AbortSignal;
  /** Follows to its end what goes on after the reply. */
  readonly goesOn: (rest: Promise<unknown>) => void;
};

/** Why a call did not run, for clients that branch on it. */
export type RefusalCode = 'unknown_tool' | 'malformed' | 'denied' | 'fault' | 'ledger_unavailable';
