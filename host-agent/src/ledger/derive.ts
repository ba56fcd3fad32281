// SPDX-License-Identifier: Apache-2.0
import type { Entry, JsonValue } from './entry.ts';

/** What is searched by: derived from an entry's bytes, stored beside them, never trusted, re-checked by verify. */
export type Derived = {
  readonly seq: number;
  readonly prev: string;
  readonly id: string;
  readonly source: string;
  readonly source_seq: number;
  readonly time: string;
  readonly kind: string;
  /** `type:id`: a user and an agent may share a name. */
  readonly actor: string;
  readonly trace: string | null;
  readonly agent: string | null;
  readonly tool: string | null;
  readonly outcome: string | null;
};

/** Longer texts are found by reading entries, not by an index that an agent could swell. */
const MAX_INDEXED = 128;

export function derive(entry: Entry): Derived {
  const { seq, prev, id, source, source_seq, time, kind, actor, trace, data } = entry;
  return {
    seq,
    prev,
    id,
    source,
    source_seq,
    time,
    kind,
    actor: `${actor.type}:${actor.id}`,
    trace,
    agent: indexed(data['agent']) ?? (actor.type === 'agent' ? actor.id : null),
    tool: indexed(data['tool']),
    outcome: kind.endsWith('.refused') ? 'refused' : indexed(data['status']),
  };
}

function indexed(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value.length <= MAX_INDEXED ? value : null;
}
