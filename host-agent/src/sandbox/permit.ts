// SPDX-License-Identifier: Apache-2.0
import type { AgentName, CallId } from '../identity/ids.ts';
import type { Root } from './image-paths.ts';

/** A host path made visible in a sandbox, at the same path inside. */
export type Binding = {
  readonly path: string;
  readonly access: 'ro' | 'rw';
  /** Left out of the call when it is the other kind on the host: `fs:read:/a` lets read a file /a, not all that lies in a directory /a. */
  readonly is?: 'directory' | 'file';
};

/** What one call may use. Times in milliseconds, sizes in bytes. */
export type CallLimits = {
  readonly timeoutMs: number;
  readonly memoryMax: number;
  readonly tasksMax: number;
  /** Kept of stdout and of stderr, each; the rest is counted and dropped. */
  readonly outputMax: number;
};

/** `name` is the agent's own word for it while it runs and a little longer. */
export type ContainerAsk = { readonly name: string; readonly image: string };
/** The size of a terminal, in characters. */
export type TerminalSize = { readonly columns: number; readonly rows: number };

/** The plan of one call's sandbox: pure data, the only thing a runner acts on. */
export type SandboxPlan = {
  /**
   * `file`: our file tool and nothing else is visible besides the bindings. `process`: a /usr, read-only, too. `container`: the tree of
   * an image, read-only, and of bindings at most the workspace.
   */
  readonly kind: 'file' | 'process' | 'container';
  /** Of a container, and only of one. */
  readonly container?: ContainerAsk;
  readonly root: Root;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of a program that has a terminal of its own for input, output and errors; its call stays until it ends or is ended. */
  readonly terminal?: TerminalSize;
  /** Names of secrets that the program gets through descriptors, for this one call (`secret:read`, R47); their values are in no plan. */
  readonly secrets?: readonly string[];
  readonly bindings: readonly Binding[];
  /** Places within what is visible over which something empty is mounted: the type's ceiling denies what lies there. */
  readonly hidden: readonly string[];
  readonly limits: CallLimits;
};

/** An allow that a runner can act on. Its RFC 8785 bytes are hashed into the receipt. */
export type Permit = {
  readonly v: 1;
  readonly call: CallId;
  readonly agent: AgentName;
  readonly tool: string;
  readonly plan: SandboxPlan;
  /** SHA-256 (hex) and size of what is fed to stdin; null when stdin is empty. */
  readonly stdin: { readonly digest: string; readonly size: number } | null;
  /** The earliest of call limit and the ends of the grants used. Milliseconds of CLOCK_BOOTTIME, which no wall clock prolongs (R3). */
  readonly notAfter: number;
};

/** What a runner reports of a finished call. */
export type RunResult = {
  readonly exit: { readonly code: number } | { readonly signal: string };
  /** True when the deadline removed the call's processes. */
  readonly deadline: boolean;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** Bytes that the output cap dropped. */
  readonly dropped: { readonly stdout: number; readonly stderr: number };
  /** The AppArmor label that the kernel showed for the call's first process. */
  readonly label: string;
  readonly observed: Observed;
};

/** What was seen of a call from outside. A figure that the kernel did not give is null, never zero. */
export type Observed =
  | { readonly by: 'none' }
  | {
      readonly by: 'cgroup';
      readonly cpuUsec: number;
      readonly memoryPeak: number | null;
      readonly tasksPeak: number | null;
      readonly wallMs: number;
    };
