// SPDX-License-Identifier: Apache-2.0
import type { z } from 'zod';
import type { JsonValue } from '../ledger/entry.ts';
import type { RunResult } from '../sandbox/permit.ts';

/** What an effect or the door reports of a tool. Another shape than agreed is a fault of ours, not of the agent. */
export function readSeen<T>(tool: string, schema: z.ZodType<T>, result: { readonly ran: RunResult } | { readonly seen: JsonValue }): T {
  const read = 'seen' in result ? schema.safeParse(result.seen) : null;
  if (read === null || !read.success) throw new Error(`${tool} was given something else than it reports`);
  return read.data;
}
