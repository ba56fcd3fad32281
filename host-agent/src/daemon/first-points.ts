// SPDX-License-Identifier: Apache-2.0
import type { SessionId } from '../identity/ids.ts';
import type { RestorePort } from '../tool-call/keep-first.ts';

/** Of which directories a session has its first point, which is of all that lies in them. */
export type FirstPoints = Pick<RestorePort, 'isFirst' | 'keptFirst'> & { readonly forget: (session: SessionId) => void };

export function firstPoints(): FirstPoints {
  const kept = new Map<SessionId, Set<string>>();
  return {
    isFirst: (session, root) => kept.get(session)?.has(root) !== true,
    keptFirst: (session, root) => void kept.set(session, (kept.get(session) ?? new Set()).add(root)),
    forget: (session) => void kept.delete(session),
  };
}
