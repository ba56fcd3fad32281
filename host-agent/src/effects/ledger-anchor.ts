// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { canonicalText } from '../ledger/encode.ts';
import type { ChainHead } from '../ledger/chain.ts';
import { checkFields, isHash, isObject } from '../ledger/shape.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonValue } from '../ledger/entry.ts';
import { readCanonical } from '../ledger/read-canonical.ts';
import { writeDurably } from './durable-file.ts';

/**
 * What the ledger reached, kept beside the segments: a chain that lost its newest entries is still a good chain (E02).
 * It is written before each commit, with what the commit will make of the head, and after it; in place and into one disk
 * sector, so it needs no space and is never half written. It is not a secret and not signed: it shows damage and deletion, while who may
 * write the whole directory is shown up by a witness elsewhere (E04, E05).
 */
export type Anchor = {
  readonly v: 1;
  /** Within one boot the page cache outlives the process, so the anchor is exact. After another boot it may be behind. */
  readonly boot: string;
  /** First entry kept. Older segments were pruned on purpose, or are about to be. */
  readonly first: number;
  readonly head: ChainHead;
  /** What a commit that may have been under way would have made the head. */
  readonly next: ChainHead | null;
  /** Closed in order and synced; then it is exact in any boot. */
  readonly closed: boolean;
};

const SECTOR = 512;

export type AnchorFile = { readonly write: (anchor: Anchor, sync: boolean) => void; readonly close: () => void };

export function readAnchor(path: string): Result<Anchor> | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'ENOENT' ? null : refuse(`${path} cannot be read: ${(fault as Error).message}`);
  }
  return parseAnchor(text) ?? refuse(`${path} does not hold what the ledger wrote there`);
}

export function openAnchor(path: string, anchor: Anchor): AnchorFile {
  writeDurably(path, textOf(anchor), 0o600);
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  return {
    write: (next, sync) => {
      if (writeSync(descriptor, textOf(next), 0) !== SECTOR) throw new Error(`cannot write all of ${path}`);
      if (sync) fsyncSync(descriptor);
    },
    close: () => closeSync(descriptor),
  };
}

function textOf(anchor: Anchor): string {
  const text = `${canonicalText(anchor).padEnd(SECTOR - 1)}\n`;
  if (Buffer.byteLength(text) !== SECTOR) throw new Error('cannot fit the head of the ledger into one sector');
  return text;
}

function parseAnchor(text: string): Result<Anchor> | null {
  let value: JsonValue;
  try {
    value = readCanonical(text.trimEnd());
  } catch {
    return null;
  }
  if (!isObject(value) || !checkFields(value, ['v', 'boot', 'first', 'head', 'next', 'closed']).ok) return null;
  const { v, boot, first, head, next, closed } = value;
  const good = v === 1 && typeof boot === 'string' && typeof first === 'number' && typeof closed === 'boolean' &&
    isHead(head) && (next === null || isHead(next));
  if (!good) return null;
  const anchor: Anchor = { v, boot, first, head, next, closed };
  return textOf(anchor) === text ? accept(anchor) : null;
}

function isHead(value: JsonValue | undefined): value is { readonly seq: number; readonly hash: string } {
  return isObject(value) && checkFields(value, ['seq', 'hash']).ok && Number.isSafeInteger(value['seq']) && isHash(value['hash']);
}
