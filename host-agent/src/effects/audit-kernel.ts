// SPDX-License-Identifier: Apache-2.0
import { sameRules } from '../detection/audit-rules.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import { addon } from './addon.ts';

// The kernel's audit subsystem (linux/audit.h): what it records, and the stream of its records.

const MESSAGE = { GET: 1000, SET: 1001, ADD_RULE: 1011, DELETE_RULE: 1012, LIST_RULES: 1013 } as const;
const MASK = { ENABLED: 1, FAILURE: 2, RATE_LIMIT: 8, BACKLOG_LIMIT: 16, BACKLOG_WAIT: 32 } as const;
const STATUS_WORDS = 11;
const NETLINK_HEADER = 16;
const LOCKED = 2;
const NOTHING = Buffer.alloc(0);

/**
 * Who is recorded waits when so many records wait to be handed out, and nobody longer than this (in jiffies: 2 s). Handing out never waits
 * for a reader, so it is soon over; PID 1, which writes records of its own, must not hang behind a flood.
 */
const BACKLOG = { limit: 8192, wait: 500 };

export type AuditStatus = { readonly locked: boolean; readonly lost: number };

/** Needs CAP_AUDIT_CONTROL, as all here but the stream. */
export function auditStatus(): AuditStatus {
  const answer = addon().auditAsk(MESSAGE.GET, NOTHING);
  const word = (index: number): number => answer.readUInt32LE(NETLINK_HEADER + 4 * index);
  return { locked: word(1) === LOCKED, lost: word(6) };
}

/**
 * The kernel records by these rules and no others, and nobody changes that until the next boot: not root, and not this process. Asked again
 * it only looks.
 */
export function lockRules(rules: readonly Uint8Array[]): Result<null> {
  try {
    if (!auditStatus().locked) {
      for (const rule of listRules()) addon().auditAsk(MESSAGE.DELETE_RULE, Buffer.from(rule));
      set(MASK.FAILURE | MASK.RATE_LIMIT | MASK.BACKLOG_LIMIT | MASK.BACKLOG_WAIT, [0, 1, 0, 0, BACKLOG.limit, 0, 0, 0, BACKLOG.wait]);
      for (const rule of rules) addon().auditAsk(MESSAGE.ADD_RULE, Buffer.from(rule));
      set(MASK.ENABLED, [LOCKED]);
    }
    if (!auditStatus().locked) return refuse('the kernel does not keep its audit rules');
    return sameRules(rules, listRules()) ? accept(null) : refuse('the kernel keeps other audit rules until the next boot');
  } catch (fault) {
    return refuse(`cannot set the kernel's audit rules: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}

/** Makes the kernel write a record: a change that the lock refuses. */
export function knock(): void {
  try {
    set(MASK.ENABLED, [LOCKED]);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'EPERM') throw fault;
  }
}

function set(mask: number, values: readonly number[]): void {
  const status = Buffer.alloc(4 * STATUS_WORDS);
  status.writeUInt32LE(mask, 0);
  values.forEach((value, i) => status.writeUInt32LE(value, 4 * (i + 1)));
  addon().auditAsk(MESSAGE.SET, status);
}

function listRules(): readonly Uint8Array[] {
  return [...frames(addon().auditAsk(MESSAGE.LIST_RULES, NOTHING))].filter(({ type }) => type === MESSAGE.LIST_RULES).map(({ data }) => Uint8Array.from(data));
}

type Frame = { readonly type: number; readonly data: Buffer };

function* frames(bytes: Buffer): Generator<Frame> {
  for (let at = 0; at + NETLINK_HEADER <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    if (length < NETLINK_HEADER || at + length > bytes.length) return;
    yield { type: bytes.readUInt16LE(at + 4), data: bytes.subarray(at + NETLINK_HEADER, at + length) };
    at += (length + 3) & ~3;
  }
}

/** Records as the kernel handed them out to this descriptor, which systemd opened (ListenNetlink=audit 1). */
export type AuditStream = {
  /** Gives on what waits, up to one buffer of it; false when nothing did. `onDropped`: the kernel had no room for some. */
  readonly read: (onRecord: (type: number, line: string) => void, onDropped: () => void) => boolean;
};

export function openAuditStream(descriptor: number): AuditStream {
  const buffer = Buffer.alloc(1024 * 1024);
  return {
    read(onRecord, onDropped) {
      let length: number;
      try {
        length = addon().auditRead(descriptor, buffer);
      } catch (fault) {
        if ((fault as NodeJS.ErrnoException).code !== 'ENOBUFS') throw fault;
        onDropped();
        return true;
      }
      // Bytes that are no ASCII stand in digits, or in what a privileged program said of itself, which nothing here reads.
      for (const { type, data } of frames(buffer.subarray(0, length))) onRecord(type, data.toString('latin1', 0, textLength(data)));
      return length > 0;
    },
  };
}

/** Some records end with a NUL. */
function textLength(data: Buffer): number {
  let length = data.length;
  while (length > 0 && data[length - 1] === 0) length -= 1;
  return length;
}
