// SPDX-License-Identifier: Apache-2.0

// How long what a source said may be used. Every time is of the boot clock and counted from when the question was sent, not from when its
// answer came: a slow answer makes nothing last longer.

/** What bounds a value that was read. Null: that does not bound it. */
export type Bounds = {
  readonly cacheMs: number;
  /** `lease_duration` of the answer. */
  readonly leaseMs: number | null;
  /** Until the version is deleted by itself (`deletion_time`). */
  readonly deletedInMs: number | null;
  /** When the token ends that it was read with: what a token gave ends with it. */
  readonly tokenEndsAt: number | null;
};

export function usableUntil(askedAt: number, { cacheMs, leaseMs, deletedInMs, tokenEndsAt }: Bounds): number {
  const lengths = [cacheMs, leaseMs, deletedInMs].filter((ms) => ms !== null);
  return Math.min(...lengths.map((ms) => askedAt + Math.max(0, ms)), tokenEndsAt ?? Number.POSITIVE_INFINITY);
}

/** `endsAt` null: it never does (a root token). `renewAt` null: it cannot be renewed, or need not be. */
export type TokenLease = { readonly endsAt: number | null; readonly renewAt: number | null };

/** `ttlMs` null: it never ends. */
export function tokenLease(askedAt: number, ttlMs: number | null, renewable: boolean): TokenLease {
  if (ttlMs === null) return { endsAt: null, renewAt: null };
  // Two thirds, as Vault's own agent does it: there is time for a second try, and a third.
  return { endsAt: askedAt + ttlMs, renewAt: renewable ? askedAt + Math.floor((ttlMs * 2) / 3) : null };
}

export function hasEnded({ endsAt }: TokenLease, now: number): boolean {
  return endsAt !== null && endsAt <= now;
}
