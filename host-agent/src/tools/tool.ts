// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';
import type { JsonObject, JsonValue } from '../ledger/entry.ts';
import type { RunResult, SandboxPlan } from '../sandbox/permit.ts';

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

/** How a tool's call is carried out; made from arguments that were already parsed. */
export type Action =
  /** In the call's own sandbox: only the file tool, or a program of the image. Bindings are added from the capabilities, not here. */
  | { readonly runs: 'sandbox'; readonly command: Pick<SandboxPlan, 'kind' | 'argv' | 'cwd' | 'env'>; readonly stdin: Uint8Array | null; readonly timeoutMs: number | null }
  | { readonly runs: 'observe'; readonly observation: Observation }
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
  /** Needed beside them when these arguments act on all that lies below a path: `fs:delete:{path}/**`. */
  readonly treeNeeds?: (args: Args) => readonly string[];
  /** How to do without a tree that is not held. */
  readonly treeHint?: string;
  readonly action: (args: Args) => Action;
  readonly reply: (args: Args, result: { readonly ran: RunResult } | { readonly seen: JsonValue }) => ToolReply;
};
