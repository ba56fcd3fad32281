// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { writeHeader } from '../seccomp/write-filters.ts';

/** Before the native tests: the first file to run must not be the one that waits for a compiler. */
export default function setup(): void {
  buildNative();
}

/** Builds the native programs for tests, unless they are those of these sources; returns their directory. */
export function buildNative(): string {
  const out = resolve(import.meta.dirname, '../../build/native');
  writeHeader(out);
  execFileSync(resolve(import.meta.dirname, 'build.sh'), [out], { stdio: ['ignore', 'inherit', 'inherit'] });
  return out;
}
