// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

/** Builds the native programs for tests, unless they are those of these sources; returns their directory. */
export function buildNative(): string {
  const out = resolve(import.meta.dirname, '../../build/native');
  execFileSync(resolve(import.meta.dirname, 'build.sh'), [out], { stdio: ['ignore', 'inherit', 'inherit'] });
  return out;
}
