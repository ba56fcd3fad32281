// SPDX-License-Identifier: Apache-2.0
import type { DeclaredCeiling } from '../capability/ceiling.ts';
import type { AgentId, AgentName, OperatorName, PackName } from '../identity/ids.ts';
import type { DeclaredNet } from '../egress/host-rule.ts';
import type { SecretBinding } from '../secret/binding.ts';
import type { Root } from '../sandbox/image-paths.ts';
import type { CallLimits } from '../sandbox/permit.ts';

/** What holdfast-declare made of the agent files: the only form in which the other roles see a declaration. */
export type Declared = {
  readonly agents: readonly DeclaredAgent[];
  /** Files that were refused. The agents of the other files are unaffected. */
  readonly problems: readonly Problem[];
};

export type Problem = { readonly file: string; readonly line: number; readonly message: string };

/**
 * R103. `mediated`: every effect goes through the door. `contained`: its own tools run inside its ring, and what the kernel saw them do is
 * recorded as unmediated.
 */
export type Mode = 'mediated' | 'contained';

export type DeclaredAgent = {
  readonly name: AgentName;
  readonly pack: PackName;
  /** In records, for who reads those of many machines. */
  readonly id: AgentId;
  readonly type: string;
  readonly mode: Mode;
  /** Static uid and gid of the slot that the name keeps for ever. */
  readonly uid: number;
  /** The program of the image that the agent's unit runs; null for an agent that only connects from elsewhere. */
  readonly program: readonly string[] | null;
  /** The image in whose file system the program runs; null for the appliance's own. */
  readonly home: string | null;
  /** The AppArmor profile of its unit. */
  readonly profile: string;
  readonly start: 'boot' | 'manual';
  /** Held from the start, in R1's grammar, each inside the type's ceiling. */
  readonly capabilities: readonly string[];
  readonly ceiling: DeclaredCeiling;
  /** Whose /usr its calls see. */
  readonly root: Root;
  /** The most one call may use. */
  readonly limits: CallLimits;
  /** Host directory that agent, runner and calls see as /workspace. */
  readonly workspace: string;
  /** Which control groups a peer at this agent's door may come from (prefixes of the path in /proc/PID/cgroup). */
  readonly peers: { readonly agent: string; readonly remote: string };
  /** AppArmor labels that a peer at this agent's door must carry, as callLabel is written. */
  readonly peerLabels: { readonly agent: string; readonly remote: string };
  /** AppArmor label that every call must carry, as /proc/PID/attr/current prints it. */
  readonly callLabel: string;
  /** And every container; null where the type can hold none. */
  readonly containerLabel: string | null;
  /** Null where the type can reach no network: it has no relay then, and no AF_INET. */
  readonly net: DeclaredNet | null;
  /** Secrets that an operator bound to this agent. The capabilities to use them, and to reach their hosts, are among `capabilities`. */
  readonly secrets: readonly SecretBinding[];
  readonly budget: Budget;
};

/** What an agent may spend on models (R23, R24). Null: no limit of its own. */
export type Budget = {
  /** Millionths of a US dollar in 24 hours. */
  readonly costPerDay: number | null;
  /** Input and output together, in 60 minutes. */
  readonly tokensPerHour: number | null;
};

export type DeclaredOperator = { readonly name: OperatorName; readonly uid: number; readonly roles: readonly string[] };
