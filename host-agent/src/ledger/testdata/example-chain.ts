// SPDX-License-Identifier: Apache-2.0
import { EMPTY_CHAIN, headOf, nextEntry, type ChainHead, type SealedEntry } from '../chain.ts';
import type { EntryDraft } from '../entry.ts';
import { uuid7 } from '../uuid7.ts';

/** A draft as holdfastd writes them; `n` makes each one different. */
export function exampleDraft(n: number): EntryDraft {
  const agent = n % 3 === 0 ? 'scout' : 'builder';
  const kinds = ['call.intent', 'call.outcome', 'call.refused', 'grant.given'] as const;
  const kind = kinds[n % kinds.length]!;
  return {
    kind,
    actor: kind === 'grant.given' ? { type: 'user', id: 'alice' } : { type: 'agent', id: agent },
    trace: n % 2 === 0 ? (n + 1).toString(16).padStart(32, '0') : null,
    span: n % 2 === 0 ? (n + 1).toString(16).padStart(16, '0') : null,
    data: {
      agent,
      call: `c${n}`,
      tool: n % 5 === 0 ? 'fs.write' : 'fs.read',
      note: `naïve “${n}” \u{1f512}\n`,
      ...(kind === 'call.outcome' ? { status: 'ok' } : {}),
    },
  };
}

/** `count` entries that follow `after`, by two sources that take turns. */
export function exampleChain(count: number, after: ChainHead = EMPTY_CHAIN, counts = new Map<string, number>()): SealedEntry[] {
  const chain: SealedEntry[] = [];
  let head = after;
  for (let i = 0; i < count; i += 1) {
    const n = head.seq + 1;
    const source = n % 4 === 0 ? 'root' : 'holdfastd';
    const sourceSeq = (counts.get(source) ?? 0) + 1;
    counts.set(source, sourceSeq);
    const wallMs = Date.UTC(2030, 0, 1) + n * 1000;
    const random = new Uint8Array(10).map((_, at) => (n * 31 + at * 7) & 0xff);
    const id = uuid7(wallMs, random);
    const next = nextEntry(head, exampleDraft(n), { id, source, sourceSeq, time: new Date(wallMs).toISOString() });
    if (!next.ok) throw new Error(next.error);
    chain.push(next.value);
    head = headOf(next.value);
  }
  return chain;
}
