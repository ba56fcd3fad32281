// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

// The operator socket speaks one JSON object per line: a request, then its answer. Who asks is the kernel's word about
// the peer, never a field. Shapes live here once; the CLI and holdfastd both use them.

export const operatorRequest = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('status') }),
  z.strictObject({ op: z.literal('agents') }),
  z.strictObject({
    op: z.literal('grant'),
    agent: z.string(),
    capability: z.string(),
    /** Milliseconds. */
    forMs: z.int().min(1),
    uses: z.int().min(1).nullable(),
    reason: z.string().min(1).max(500),
  }),
  z.strictObject({ op: z.literal('grants'), agent: z.string().nullable() }),
  z.strictObject({ op: z.literal('revoke'), grant: z.string() }),
  z.strictObject({ op: z.literal('requests') }),
  /** The answer no: the request is closed and recorded, nothing is given. */
  z.strictObject({ op: z.literal('refuse'), request: z.string(), reason: z.string().min(1).max(500) }),
  /** `replace`: the operators' own file of the same agent may be there already. */
  z.strictObject({ op: z.literal('agent-add'), file: z.string().max(262144), replace: z.boolean() }),
  z.strictObject({ op: z.literal('agent-remove'), agent: z.string() }),
  z.strictObject({ op: z.literal('agent-start'), agent: z.string() }),
  z.strictObject({ op: z.literal('agent-stop'), agent: z.string() }),
]);
export type OperatorRequest = z.infer<typeof operatorRequest>;

/** A refusal says what happened, why, and what to do. */
export type OperatorAnswer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

export type GrantView = {
  readonly id: string;
  readonly agent: string;
  readonly capability: string;
  readonly reason: string;
  readonly grantedBy: string;
  /** Milliseconds left on the boot clock when the answer was made. */
  readonly leftMs: number;
  readonly usesLeft: number | null;
};

/** A grant just given, with what a person should know of it: where it stops short, what stays denied. */
export type GivenView = GrantView & { readonly notes: readonly string[] };

export type AgentView = {
  readonly name: string;
  readonly pack: string;
  readonly type: string;
  readonly mode: string;
  /** systemd's ActiveState of the agent's unit, or `remote` for an agent without a program of its own. */
  readonly state: string;
  readonly sessions: number;
  readonly capabilities: readonly string[];
  readonly grants: readonly GrantView[];
};

export type RequestView = {
  readonly id: string;
  readonly agent: string;
  readonly capability: string;
  readonly reason: string;
  readonly forMs: number;
  /** RFC 3339. */
  readonly askedAt: string;
};

/** One fact about the machine. What could not be read is `bad`, with the reason in `detail`. */
export type PostureFact = { readonly name: string; readonly state: 'good' | 'bad'; readonly detail: string };

export type StatusView = {
  readonly version: string;
  readonly boot: string;
  readonly posture: readonly PostureFact[];
  readonly agents: readonly AgentView[];
  readonly problems: readonly { readonly file: string; readonly line: number; readonly message: string }[];
  readonly requests: readonly RequestView[];
};
