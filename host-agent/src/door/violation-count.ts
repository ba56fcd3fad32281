// SPDX-License-Identifier: Apache-2.0

/** What a peer did against the protocol or its limits. Closed, as it is written into the ledger (R54). */
export type Violation =
  | 'malformed message'
  | 'malformed tool call'
  | 'unknown method'
  | 'unknown notification'
  | 'answer without a question'
  | 'id in use'
  | 'call before initialize'
  | 'initialize twice'
  | 'too many messages'
  | 'too many bytes'
  | 'too many calls at once'
  | 'line too slow'
  | 'replies not read';

/** One row with a count instead of one row each: a flood must not become a flood of ledger entries (B22, E2). */
export type ViolationCount<Why> = { add(why: Why, now: number, times?: number): void; flush(): void; tick(now: number): void };

export function openViolationCount<Why = Violation>(report: (why: Why, count: number) => void, windowMs: number): ViolationCount<Why> {
  const counts = new Map<Why, number>();
  let since = 0;
  function flush(): void {
    for (const [why, count] of counts) report(why, count);
    counts.clear();
  }
  return {
    add(why, now, times = 1) {
      if (counts.size === 0) since = now;
      counts.set(why, (counts.get(why) ?? 0) + times);
    },
    flush,
    tick(now) {
      if (counts.size > 0 && now - since >= windowMs) flush();
    },
  };
}
