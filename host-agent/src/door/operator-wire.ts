// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { isPlainPath } from '../sandbox/bindable.ts';
import { isImageDigest } from '../sandbox/container-name.ts';
import type { Difference, Span, Undone } from '../tools/restore-calls.ts';

// The operator socket speaks one JSON object per line: a request, then its answer. Who asks is the kernel's word about
// the peer, never a field. Shapes live here once; the CLI and holdfastd both use them.

/** So many points that may have been made after a program ended are named: some could not be made, or are no more. */
export const MOST_AFTER = 32;

const target = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('call'), call: z.string().max(64) }),
  z.strictObject({ kind: z.literal('session'), session: z.string().max(64), first: z.string().max(64) }),
  z.strictObject({ kind: z.literal('point'), point: z.string().max(64) }),
  z.strictObject({ kind: z.literal('run'), point: z.string().max(64), after: z.array(z.string().max(64)).max(MOST_AFTER).readonly() }),
  z.strictObject({ kind: z.literal('image') }),
]);
/** Absolute, as calls see it. */
const path = z.string().max(4095).refine(isPlainPath, 'must be an absolute path in its normal form').nullable();
const transfer = z.string().max(64);
const image = z.string().refine(isImageDigest, 'must be sha256- and 64 hexadecimal digits');
/** Relative to the workspace; `.` for all of it. */
const inside = z.string().max(4000).refine((text) => isPlainPath(`/${text}`) || text === '.', 'must be a name in the workspace, such as app or src/app');

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
  z.strictObject({ op: z.literal('points'), agent: z.string() }),
  /** Directories of /etc that agents may be granted to change. */
  z.strictObject({ op: z.literal('etc') }),
  z.strictObject({ op: z.literal('diff'), agent: z.string(), target, path }),
  /** A project in and out: parts of a tar archive or of a bundle of git, one after the other. */
  z.strictObject({ op: z.literal('put-begin'), agent: z.string() }),
  z.strictObject({ op: z.literal('put-data'), transfer, offset: z.int().min(0), data: z.string().max(720 * 1024) }),
  z.strictObject({ op: z.literal('put-end'), transfer, path: inside }),
  /** What came is a file system for containers of the agent. `digest` is what the operator says it hashes to. */
  z.strictObject({ op: z.literal('import-end'), transfer, digest: image }),
  z.strictObject({ op: z.literal('image-remove'), agent: z.string(), digest: image }),
  z.strictObject({ op: z.literal('get'), agent: z.string(), path: inside, bundle: z.boolean() }),
  z.strictObject({ op: z.literal('get-data'), transfer, offset: z.int().min(0) }),
  z.strictObject({ op: z.literal('transfer-end'), transfer }),
  z.strictObject({ op: z.literal('shells'), agent: z.string() }),
  /** Answered when something is shown, or after a while. */
  z.strictObject({ op: z.literal('shell-watch'), agent: z.string(), shell: z.string().max(64), from: z.int().min(0).nullable() }),
  /** What agents have spent; of one, or of all that can reach a network. */
  z.strictObject({ op: z.literal('usage'), agent: z.string().nullable() }),
  z.strictObject({ op: z.literal('usage-reset'), agent: z.string(), reason: z.string().min(1).max(500) }),
  /** What holds of the settings of the machine, and the operators' file in place of an earlier one. */
  z.strictObject({ op: z.literal('settings') }),
  z.strictObject({ op: z.literal('settings-set'), file: z.string().max(262144) }),
  z.strictObject({ op: z.literal('prices') }),
  z.strictObject({ op: z.literal('prices-set'), file: z.string().max(262144) }),
  z.strictObject({ op: z.literal('undo'), agent: z.string(), target, path, force: z.boolean(), dryRun: z.boolean() }),
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
  readonly id: string;
  readonly type: string;
  readonly mode: string;
  /** systemd's ActiveState of the agent's unit, or `remote` for an agent without a program of its own. */
  readonly state: string;
  readonly sessions: number;
  /** Why the agent is not served though it is declared; null when it is. */
  readonly unserved: string | null;
  /** Why its program was not started when that was asked for last; null when it was. */
  readonly notStarted: string | null;
  readonly capabilities: readonly string[];
  /** Null for one that can reach no network. */
  readonly usage: UsageView | null;
  readonly grants: readonly GrantView[];
};

/** Of one kind, in its window; cost in millionths of a dollar. */
export type UsageFigure = {
  readonly kind: 'cost' | 'tokens' | 'requests' | 'bytes';
  /** Null: none. */
  readonly limit: number | null;
  readonly spent: number;
  /** Held for what is under way. */
  readonly open: number;
  /** Where all of it is taken: until half of it is free again. */
  readonly halfFreeMs: number | null;
};

export type UsageView = {
  readonly agent: string;
  /** Why nobody knows; nothing goes out then. */
  readonly problem: string | null;
  /** Requests and tunnels that are out now. */
  readonly ways: number;
  readonly figures: readonly UsageFigure[];
};

/** Millionths of a dollar for a million tokens. */
export type PricesView = {
  readonly date: string;
  readonly problem: string | null;
  readonly models: readonly { readonly model: string; readonly input: number; readonly output: number; readonly cachedInput: number; readonly cacheWrite: number }[];
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

/** A shell that an agent has open, or that has ended and can still be read. */
export type ShellView = {
  readonly shell: string;
  readonly columns: number;
  readonly rows: number;
  readonly running: boolean;
  /** RFC 3339. */
  readonly openedAt: string;
};

/** Bytes as the agent's program wrote them: never for a terminal as they are. */
export type ShellShownView = {
  /** Base64. */
  readonly data: string;
  /** Bytes before these that are kept no more. */
  readonly missed: number;
  readonly next: number;
  readonly running: boolean;
  readonly ended: string | null;
};

/** A directory of /etc, and the agents that can be granted to change it. */
export type EtcView = { readonly path: string; readonly agents: readonly string[] };

/** What changed in one directory. */
export type DiffView = Span & Difference;

/** What an undo did in one directory, or would do. `point` was made before it; null when nothing was changed. */
export type UndoView = Span & Undone & { readonly point: string | null };

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
