// SPDX-License-Identifier: Apache-2.0
import { openTokenBucket } from './token-bucket.ts';
import type { Violation } from './violation-count.ts';

/** Per second and at once, all connections of one agent together: opening more of them, or new ones, gains nothing (B22). */
const MESSAGES = { perSecond: 50, burst: 200 };
const BYTES = { perSecond: 4 * 1024 * 1024, burst: 8 * 1024 * 1024 };
/** Calls at one time, on all connections; a session may have fewer, so that one cannot take every place. */
const CALLS = 32;

/** The largest call there is has 1000 arguments (process.run) and a dozen values around them. Four times that. */
export const MESSAGE_LIMITS = { maxValues: 4000 };

export type Charged = { readonly waitMs: number; readonly over: Violation | null };

/** What one agent may use of holdfastd, through whatever number of connections. */
export type AgentBudget = {
  /** For one line, before it is parsed: parsing is what costs. */
  readonly charge: (now: number, bytes: number) => Charged;
  readonly calls: CallPlaces;
};

/** `take` is false when every place is taken. */
export type CallPlaces = { readonly most: number; readonly take: () => boolean; readonly give: () => void };

export function openAgentBudget(now: number): AgentBudget {
  const messages = openTokenBucket(MESSAGES, now);
  const bytes = openTokenBucket(BYTES, now);
  return {
    charge: (at, size) => {
      const forMessage = messages.charge(at, 1);
      const forBytes = bytes.charge(at, size);
      if (forMessage === 0 && forBytes === 0) return { waitMs: 0, over: null };
      if (forMessage >= forBytes) return { waitMs: forMessage, over: 'too many messages' };
      return { waitMs: forBytes, over: 'too many bytes' };
    },
    calls: openCallPlaces(CALLS),
  };
}

export function openCallPlaces(most: number): CallPlaces {
  let taken = 0;
  return {
    most,
    take: () => {
      if (taken >= most) return false;
      taken += 1;
      return true;
    },
    give: () => {
      taken -= 1;
    },
  };
}
