// SPDX-License-Identifier: Apache-2.0

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

export type Actor = { readonly type: 'agent' | 'user' | 'system'; readonly id: string };

/** What happened, said by the code that did it (R54). Closed: a new kind is a decision, not a string. */
export const ENTRY_KINDS = [
  'boot',
  'configuration.changed',
  'agent.started',
  'agent.stopped',
  'session.opened',
  'session.closed',
  'call.intent',
  'call.refused',
  'call.outcome',
  'door.refused',
  'net.intent',
  'net.refused',
  'net.outcome',
  'grant.requested',
  'grant.given',
  'grant.refused',
  'grant.ended',
  'seed.claimed',
  'seed.ignored',
  'clock.jumped',
  'unmediated.exec',
  'unmediated.file',
  'unmediated.counted',
  'unmediated.lost',
  'watch.crossed',
  'watch.back',
  'watch.lost',
  'secret.used',
  'secret.way',
  'secret.read',
  'secret.changed',
  'secret.unlocked',
  'secret.closed',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** What a writer says; sequence, time, source and chain are the ledger's to add. */
export type EntryDraft = {
  readonly kind: EntryKind;
  readonly actor: Actor;
  /** W3C trace and span ids (32 and 16 hex digits), null where there is none. */
  readonly trace: string | null;
  readonly span: string | null;
  readonly data: JsonObject;
};

/** One entry. Its RFC 8785 bytes are the stored and only truth; everything else is derived and re-checked (R51). */
export type Entry = EntryDraft & {
  readonly v: 1;
  /** 1, 2, 3 … without a gap over the whole ledger. */
  readonly seq: number;
  /** UUIDv7 (RFC 9562). */
  readonly id: string;
  /** Which process wrote it, by the kernel's word on the append socket, and its own count there. */
  readonly source: string;
  readonly source_seq: number;
  /** RFC 3339, UTC, milliseconds. Sequence, not time, orders entries. */
  readonly time: string;
  /** Hex of the previous entry's leaf hash; 64 zeros before the first. */
  readonly prev: string;
};
