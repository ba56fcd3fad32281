// SPDX-License-Identifier: Apache-2.0
import type { Ceiling } from '../capability/ceiling.ts';
import type { GrantBook } from '../capability/grant.ts';
import type { RequestBook } from '../capability/request-book.ts';
import type { Declared, DeclaredAgent, DeclaredOperator } from '../config/declared.ts';
import type { AgentAuthority } from '../gate/authority.ts';
import { parseAgentName, type AgentName, type GrantId } from '../identity/ids.ts';
import type { OperatorPrincipal } from '../identity/principal.ts';
import { refuse, type Result } from '../identity/result.ts';
import type { Actor, EntryDraft, JsonObject } from '../ledger/entry.ts';
import type { KeptRun } from './keep-before-run.ts';
import type { ImagesPort } from './operator-image.ts';
import type { TransfersPort } from './operator-project.ts';
import type { RestorePorts } from './operator-restore.ts';
import type { WatchedShells } from './operator-shells.ts';
import type { SettingsPort } from './operator-settings.ts';
import type { UsagePort } from './operator-usage.ts';
import type { PostureFact } from './operator-wire.ts';

/** What the operators' door has of the world. */
export type OperatorDoorPorts = {
  readonly version: string;
  readonly boot: string;
  readonly operators: () => readonly DeclaredOperator[];
  readonly declared: () => Declared;
  readonly ceilingOf: (agent: DeclaredAgent) => Result<Ceiling>;
  readonly authorityOf: (agent: DeclaredAgent) => Result<AgentAuthority>;
  /** Milliseconds of the boot clock. */
  readonly now: () => number;
  readonly newGrantId: () => GrantId;
  /** Answers when the entry is on disk. */
  readonly record: (draft: EntryDraft) => Promise<Result<unknown>>;
  /** What is judged with. Both changes hold at once; they are refused when the book cannot be kept over a restart. */
  readonly grants: () => GrantBook;
  readonly replaceGrants: (book: GrantBook) => Result<null>;
  readonly endGrant: (id: GrantId) => Result<null>;
  readonly requests: () => RequestBook;
  readonly replaceRequests: (book: RequestBook) => void;
  readonly units: UnitsPort;
  readonly runs: RunsPort;
  /** A person has said whether it runs: no restart of holdfastd starts it again in this boot. */
  readonly startIsOver: (agent: AgentName) => void;
  /** Who stopped an agent's program, until anybody starts it again; within one run of holdfastd. */
  readonly lastStop: Map<AgentName, Actor>;
  /** The kernel's word, now: all profiles of this agent are loaded and enforce. */
  readonly confined: (agent: AgentName) => Result<null>;
  /** What must be kept before this agent's program is started. */
  readonly keepBeforeRun: (agent: AgentName) => Promise<Result<KeptRun>>;
  readonly files: AgentFilesPort;
  /** What holdfast-declare would declare with this text as the agent's file in the operators' layer; null: without one there. */
  readonly foresee: (agent: AgentName, text: string | null) => Declared;
  /** Runs holdfast-declare and reads what it made. */
  readonly redeclare: () => Promise<Result<Declared>>;
  /** For what must not be begun while the same is under way. */
  readonly oneAtATime: <T>(work: () => Promise<T>) => Promise<T>;
  readonly restore: RestorePorts;
  readonly transfers: TransfersPort;
  readonly images: ImagesPort;
  readonly shells: WatchedShells;
  readonly usage: UsagePort;
  readonly settings: SettingsPort;
  readonly posture: () => Promise<readonly PostureFact[]>;
  readonly sessionsOf: (agent: AgentName) => number;
};

export type UnitsPort = {
  readonly startUnit: (unit: string) => Promise<Result<null>>;
  readonly stopUnit: (unit: string) => Promise<Result<null>>;
  readonly unitState: (unit: string) => Promise<Result<{ readonly active: string }>>;
};

/** Whose programs run. Who starts or stops one says so here and records it; every other end is recorded by who watches. */
export type RunsPort = {
  readonly starting: (agent: AgentName) => void;
  readonly started: (agent: AgentName) => void;
  readonly notStarted: (agent: AgentName) => void;
  /** Told until the next start. */
  readonly refused: (agent: AgentName, why: string) => void;
  readonly whyRefused: (agent: AgentName) => string | null;
  /** False when it was not known to run. */
  readonly stopping: (agent: AgentName) => boolean;
  readonly notStopped: (agent: AgentName) => void;
  /** systemd forgets how a unit ended; this does not, until the next start. */
  readonly hasFailed: (agent: AgentName) => boolean;
};

/** The operators' own layer of agent files. */
export type AgentFilesPort = {
  readonly pathOf: (agent: AgentName) => string;
  /** Null when there is none. */
  readonly read: (agent: AgentName) => Promise<Result<string | null>>;
  readonly write: (agent: AgentName, text: string) => Promise<Result<null>>;
  readonly remove: (agent: AgentName) => Promise<Result<null>>;
};

export function declaredAgent(ports: Pick<OperatorDoorPorts, 'declared'>, text: string): Result<DeclaredAgent> {
  const name = parseAgentName(text);
  if (!name.ok) return name;
  const agent = ports.declared().agents.find((a) => a.name === name.value);
  return agent === undefined ? refuse(`no agent is named ${name.value}; see: holdfast agent list`) : { ok: true, value: agent };
}

/** An entry about what a person did here. */
export function draftBy(operator: OperatorPrincipal, kind: EntryDraft['kind'], data: JsonObject): EntryDraft {
  return { kind, actor: actorOf(operator), trace: null, span: null, data };
}

export function actorOf(operator: OperatorPrincipal): Actor {
  return { type: 'user', id: operator.name };
}
