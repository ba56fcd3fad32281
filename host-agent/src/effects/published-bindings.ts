// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PublishedBindings } from '../secret/binding.ts';
import { writeDurably } from './durable-file.ts';

/** Replaced whole, and readable for everybody: there is nothing secret in it. */
export function publishBindings(path: string, published: PublishedBindings): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeDurably(path, `${JSON.stringify(published)}\n`, 0o644);
}
