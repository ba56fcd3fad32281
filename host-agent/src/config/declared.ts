// SPDX-License-Identifier: Apache-2.0
import type { DeclaredCeiling } from '../capability/ceiling.ts';
import type { AgentName, OperatorName, PackName } from '../identity/ids.ts';
import type { CallLimits } from '../sandbox/permit.ts';

/** What holdfast-declare made of the agent files: the only form in which the other roles see a declaration. */
export type Declared = {
  readonly agents: readonly DeclaredAgent[];
  /** Files that were refused. The agents of the other files are unaffected. */
  readonly problems: readonly Problem[];
};

export type Problem = { readonly file: string; readonly line: number; readonly message: string };

export type Mode = 'mediated';

export type DeclaredAgent = {
  readonly name: AgentName;
  readonly pack: PackName;
  readonly type: string;
  readonly mode: Mode;
  /** Static uid and gid of the slot that the name keeps for ever. */
  readonly uid: number;
  /** The program of the image that the agent's unit runs; null for an agent that only connects from elsewhere. */
  readonly program: readonly string[] | null;
  readonly start: 'boot' | 'manual';
  /** Held from the start, in R1's grammar, each inside the type's ceiling. */
  readonly capabilities: readonly string[];
  readonly ceiling: DeclaredCeiling;
  /** The most one call may use. */
  readonly limits: CallLimits;
  /** Host directory that agent, runner and calls see as /workspace. */
  readonly workspace: string;
  /** Which control groups a peer at this agent's door may come from (prefixes of the path in /proc/PID/cgroup). */
  readonly peers: { readonly agent: string; readonly remote: string };
  /** AppArmor label that every call must carry, as /proc/PID/attr/current prints it. */
  readonly callLabel: string;
};

export type DeclaredOperator = { readonly name: OperatorName; readonly uid: number; readonly roles: readonly string[] };
