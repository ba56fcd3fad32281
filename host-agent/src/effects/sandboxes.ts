// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import type { CallLimits } from '../sandbox/permit.ts';
import { startSandbox, type Sandbox } from './sandbox.ts';

/** A call that has not ended by then does not hold up what the next one could have. */
const REFILL_MS = 100;
/** An agent that does nothing holds nothing. */
const IDLE_MS = 60_000;
/** Kinds of sandbox that are kept ready: calls of programs and calls of the file tool. */
const KINDS_MAX = 2;

export type Sandboxes = {
  /** One for one call: built ahead where there is one of the kind, else now. Throws when none can be started. */
  readonly take: (prepare: readonly string[], limits: CallLimits) => Sandbox;
  readonly close: () => void;
};

type Kind = { readonly key: string; readonly prepare: readonly string[]; readonly limits: CallLimits; waiting: Sandbox | null };

/**
 * `ahead`: after a call, builds the next sandbox of its kind before anybody asks for it. It is in a control group of its own with
 * the limits of the call it will be, knows nothing but what all calls of the kind have, and serves one call.
 */
export function openSandboxes(parent: string, ahead: boolean): Sandboxes {
  const kinds: Kind[] = [];
  let idle: NodeJS.Timeout | undefined;
  let closed = false;

  const start = (prepare: readonly string[], limits: CallLimits): Sandbox => startSandbox(prepare, parent, randomUUID(), limits);

  const refill = (kind: Kind): void => {
    if (closed || kind.waiting !== null || !kinds.includes(kind)) return;
    try {
      const sandbox = start(kind.prepare, kind.limits);
      kind.waiting = sandbox;
      // It ended while it waited: killed, or its fault is the same for the call, which then learns of it.
      void sandbox.exited.then(() => {
        if (kind.waiting !== sandbox) return;
        kind.waiting = null;
        discard(sandbox);
      });
    } catch {
      // The call that comes will try again, and be told.
    }
  };

  const empty = (): void => {
    for (const { waiting } of kinds.splice(0)) if (waiting !== null) discard(waiting);
  };

  const used = (prepare: readonly string[], limits: CallLimits): Kind => {
    const key = JSON.stringify([prepare, limits.memoryMax, limits.tasksMax, limits.outputMax]);
    const at = kinds.findIndex((kind) => kind.key === key);
    const [kind = { key, prepare, limits, waiting: null }] = at < 0 ? [] : kinds.splice(at, 1);
    kinds.unshift(kind);
    for (const { waiting } of kinds.splice(KINDS_MAX)) if (waiting !== null) discard(waiting);
    return kind;
  };

  return {
    take: (prepare, limits) => {
      if (!ahead) return start(prepare, limits);
      const kind = used(prepare, limits);
      const { waiting } = kind;
      kind.waiting = null;
      const sandbox = waiting ?? start(prepare, limits);
      const late = setTimeout(refill, REFILL_MS, kind).unref();
      void sandbox.exited.then(() => {
        clearTimeout(late);
        // After what waits for the end of this call.
        setImmediate(refill, kind);
      });
      clearTimeout(idle);
      idle = setTimeout(empty, IDLE_MS).unref();
      return sandbox;
    },
    close: () => {
      closed = true;
      clearTimeout(idle);
      empty();
    },
  };
}

function discard(sandbox: Sandbox): void {
  sandbox.cgroup.kill();
  void sandbox.exited.then(() => {
    sandbox.letGo();
    void sandbox.cgroup.remove();
  });
}
