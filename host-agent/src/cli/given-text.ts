// SPDX-License-Identifier: Apache-2.0
import { open } from 'node:fs/promises';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Io } from './io.ts';

const MOST_BYTES = 256 * 1024;

/** A file that was named, or standard input for `-`. */
export async function readGivenText(io: Io, path: string, shown: string): Promise<Result<string>> {
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    const file = path === '-' ? null : await open(path, 'r');
    for await (const chunk of file?.createReadStream() ?? io.stdin) {
      const bytes = Buffer.from(chunk as Buffer | string);
      size += bytes.length;
      if (size > MOST_BYTES) return refuse(`cannot use ${shown}: it is longer than ${MOST_BYTES} bytes`);
      chunks.push(bytes);
    }
    return accept(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks)));
  } catch (fault) {
    return refuse(`cannot read ${shown}: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}
