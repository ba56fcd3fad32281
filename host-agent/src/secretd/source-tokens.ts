// SPDX-License-Identifier: Apache-2.0
import type { SourceQuestion } from '../effects/source-http.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { hasEnded, tokenLease, type TokenLease } from '../secret/lease.ts';
import type { SecretSource } from '../secret/source.ts';
import { readLookup, readRenewal, type HttpAnswer, type TokenRead } from '../secret/source-answer.ts';
import { wipe } from '../secret/values.ts';

export type TokenPorts = {
  /** Says nothing of the token but by the answer. */
  readonly ask: (source: SecretSource, question: SourceQuestion, withinMs: number) => Promise<Result<HttpAnswer>>;
  readonly bootMs: () => number;
};
export type TokenState = { readonly tokenSeconds: number | null; readonly renewable: boolean; readonly problem: string | null };

/** What the token of each source is worth, and its renewal before it ends. */
export type SourceTokens = {
  readonly leaseOf: (source: SecretSource, withinMs: number) => Promise<Result<TokenLease>>;
  /** Something was refused that the token should be enough for. */
  readonly doubt: (source: SecretSource) => void;
  readonly stateOf: (source: SecretSource) => TokenState;
  readonly follow: (sources: readonly SecretSource[], changed: (name: string) => boolean) => void;
};

type Held = { lease: TokenLease | null; problem: string | null; asking: Promise<Result<TokenLease>> | null; failures: number; timer: NodeJS.Timeout | null; readonly source: SecretSource };

const ASK_MS = 5_000;
const SOONEST_MS = 500;
/** After failures in a row; the first is often that the firewall does not know the source's address yet. */
const AGAIN_MS = { first: 1_000, most: 60_000 };
const LATEST_MS = 2 ** 31 - 1;
const LOOKUP: SourceQuestion = { method: 'GET', path: '/v1/auth/token/lookup-self' };
const RENEW: SourceQuestion = { method: 'POST', path: '/v1/auth/token/renew-self' };

export function sourceTokens({ ask, bootMs }: TokenPorts): SourceTokens {
  const all = new Map<string, Held>();

  function ended({ name }: SecretSource): string {
    return `its token has ended; an operator gives it a new one: holdfast secret source token ${name}`;
  }

  async function leaseOf(source: SecretSource, withinMs: number): Promise<Result<TokenLease>> {
    const held = all.get(source.name);
    if (held === undefined) return refuse('secrets are locked');
    const known = held.lease;
    if (known !== null && !hasEnded(known, bootMs())) return accept(known);
    // Somebody may have renewed it elsewhere.
    const learned = await learn(held, LOOKUP, withinMs);
    if (learned.ok && !hasEnded(learned.value, bootMs())) return learned;
    return known === null && !learned.ok ? learned : refuse(ended(source));
  }

  /** One question about one token at a time. */
  function learn(held: Held, question: SourceQuestion, withinMs: number): Promise<Result<TokenLease>> {
    held.asking ??= asked(held, question, withinMs).finally(() => {
      held.asking = null;
      plan(held);
    });
    return held.asking;
  }

  async function asked(held: Held, question: SourceQuestion, withinMs: number): Promise<Result<TokenLease>> {
    const askedAt = bootMs();
    const answer = await ask(held.source, question, withinMs);
    const read: Result<TokenRead> = !answer.ok ? answer : question === RENEW ? readRenewal(answer.value) : readLookup(answer.value);
    if (answer.ok) wipe(answer.value.body);
    held.problem = read.ok ? null : read.error;
    held.failures = read.ok ? 0 : held.failures + 1;
    // What could not be renewed may still last; only its time, or the source itself, ends it.
    if (!read.ok) return read;
    held.lease = tokenLease(askedAt, read.value.ttlMs, read.value.renewable);
    return accept(held.lease);
  }

  function plan(held: Held): void {
    if (held.timer !== null) clearTimeout(held.timer);
    held.timer = null;
    if (all.get(held.source.name) !== held) return;
    const { lease, failures } = held;
    if (lease !== null && hasEnded(lease, bootMs())) return;
    const again = Math.min(AGAIN_MS.most, AGAIN_MS.first * 2 ** Math.min(failures - 1, 16));
    const at = lease === null ? (failures === 0 ? null : bootMs() + again) : lease.renewAt;
    if (at === null) return;
    // After a failure not at once; and not so late that the token has ended meanwhile.
    const least = failures === 0 ? SOONEST_MS : Math.min(again, Math.max(SOONEST_MS, ((lease?.endsAt ?? Number.POSITIVE_INFINITY) - bootMs()) / 3));
    const question = lease === null ? LOOKUP : RENEW;
    held.timer = setTimeout(() => void learn(held, question, ASK_MS), Math.min(LATEST_MS, Math.max(least, at - bootMs())));
    held.timer.unref();
  }

  function forget(held: Held): void {
    if (held.timer !== null) clearTimeout(held.timer);
    all.delete(held.source.name);
  }

  return {
    leaseOf,
    doubt: ({ name }) => {
      const held = all.get(name);
      if (held !== undefined && held.asking === null) void learn(held, LOOKUP, ASK_MS);
    },
    stateOf: (source) => {
      const held = all.get(source.name);
      const { lease = null, problem = null } = held ?? {};
      const endsAt = lease?.endsAt ?? null;
      const over = lease !== null && hasEnded(lease, bootMs());
      return { tokenSeconds: endsAt === null ? null : Math.max(0, Math.floor((endsAt - bootMs()) / 1_000)), renewable: lease?.renewAt != null, problem: over ? ended(source) : problem };
    },
    follow: (sources, changed) => {
      for (const held of [...all.values()]) if (changed(held.source.name)) forget(held);
      for (const source of sources) {
        if (all.has(source.name)) continue;
        const held: Held = { lease: null, problem: null, asking: null, failures: 0, timer: null, source };
        all.set(source.name, held);
        void learn(held, LOOKUP, ASK_MS);
      }
    },
  };
}
