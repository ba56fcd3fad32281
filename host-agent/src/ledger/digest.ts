// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const LEAF = new Uint8Array([0x00]);

/** RFC 6962, 2.1: the leading zero byte keeps a leaf from ever being read as an inner node of a Merkle tree. */
export function leafHash(bytes: Uint8Array): string {
  return createHash('sha256').update(LEAF).update(bytes).digest('hex');
}
