// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { RunResult, SandboxPlan } from '../sandbox/permit.ts';
import type { Figure } from './watch.ts';

/** Hints for clients (MCP ToolAnnotations). Our own judging never reads them. */
export type Annotations = {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
};

/** What a bounded read without a sandbox and without a shell may ask of the host. */
export type Observation =
  | { readonly what: 'processes' }
  | { readonly what: 'metrics' }
  | { readonly what: 'service'; readonly unit: string };

/**
 * What holdfastd itself changes of the host. No sandbox bounds such an act, so every word of it stands here, and the effect takes no
 * other; what systemd may be asked for is said once more by polkit.
 */
export type Change =
  | { readonly what: 'service'; readonly verb: 'start' | 'stop' | 'restart'; readonly unit: string }
  /** The program of another agent. */
  | { readonly what: 'agent'; readonly verb: 'start' | 'stop'; readonly agent: string }
  /** A bound on a figure of the machine, kept for the agent that asks. */
  | { readonly what: 'watch'; readonly verb: 'set'; readonly figure: Figure; readonly when: 'above' | 'below'; readonly limit: number }
  | { readonly what: 'watch'; readonly verb: 'clear'; readonly figure: Figure; readonly when: 'above' | 'below' };

/** What is done with a shell that stands open. */
export type ShellUse =
  | { readonly what: 'write'; readonly text: string }
  | { readonly what: 'read'; readonly waitMs: number; readonly raw: boolean }
  | { readonly what: 'close' };

/** One HTTP request, as holdfast-egress is to make it. `shown` is its path without the query, for judging and for people. */
export type FetchRequest = {
  readonly method: string;
  readonly scheme: 'https' | 'http';
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly shown: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Base64. */
  readonly body: string | null;
};

/** How a tool's call is carried out; made from arguments that were already parsed. */
export type Action =
  /** In the call's own sandbox: only the file tool, or a program of the image. Bindings are added from the capabilities, not here. With `replyAfterMs` the caller is answered by then, and the call goes on. */
  | { readonly runs: 'sandbox'; readonly command: Pick<SandboxPlan, 'kind' | 'argv' | 'cwd' | 'env' | 'container' | 'terminal' | 'secrets'>; readonly stdin: Uint8Array | null; readonly timeoutMs: number | null; readonly replyAfterMs?: number }
  | { readonly runs: 'observe'; readonly observation: Observation }
  | { readonly runs: 'change'; readonly change: Change }
  /** Upon a container that a call of this agent started: what it wrote, or its end. */
  | { readonly runs: 'container'; readonly name: string; readonly act: 'logs' | 'stop' }
  /** On a shell that an earlier call of the same agent opened. */
  | { readonly runs: 'shell'; readonly shell: string; readonly use: ShellUse }
  /** By holdfast-egress, the only process with a way out. */
  | { readonly runs: 'fetch'; readonly request: FetchRequest }
  /** An act of the door itself, recorded and without effect outside holdfastd: asking an operator for a grant. */
  | { readonly runs: 'door'; readonly ask: { readonly capability: string; readonly forMs: number; readonly reason: string } };

/** What the agent gets back: text for a model to read, the same as data, and whether the tool says it went wrong. */
export type ToolReply = { readonly text: string; readonly data: JsonObject; readonly isError: boolean };

/**
 * One tool. `needs` are capability templates over the parsed arguments (`fs:write:{path}`, R2): every one must be held.
 * `parse` is the only reading of the arguments; what it returns is judged, recorded and run.
 */
export type Tool<Args = any> = {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodType<Args>;
  readonly annotations: Annotations;
  readonly needs: readonly string[];
  /** Needed beside them where these arguments ask for more: all that lies below a path (`fs:delete:{path}/**`), a secret (`secret:read:NAME`). */
  readonly moreNeeds?: (args: Args) => readonly string[];
  /** The tool that opens what this one acts on: it is judged by whose that is, and is of no use to who cannot call the other. */
  readonly follows?: string;
  /** What the ledger keeps of the arguments, where they hold what it never keeps: queries, bodies. */
  readonly recorded?: (args: Args) => JsonObject;
  /** How to do without a tree that is not held. */
  readonly treeHint?: string;
  readonly action: (args: Args) => Action;
  readonly reply: (args: Args, result: { readonly ran: RunResult } | { readonly seen: JsonValue }) => ToolReply;
};
