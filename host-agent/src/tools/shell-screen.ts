// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';

/** The id of the call that opened it. */
export const shellId = z.string().max(64).regex(/^[a-z0-9-]+$/, 'must be the id that shell.open returned');

/** What a shell has shown since it was last read, and whether it goes on. `missed`: bytes that nobody read in time. */
export const seenScreen = z.strictObject({
  text: z.string(),
  missed: z.int().min(0),
  running: z.boolean(),
  exit: z.union([z.strictObject({ code: z.int() }), z.strictObject({ signal: z.string() })]).nullable(),
  /** How it came to its end, in a word or two; null while it runs. */
  ended: z.string().nullable(),
});
export type Screen = z.infer<typeof seenScreen>;

export function screenWords({ text, missed, running, exit, ended }: Screen): string {
  const gap = missed === 0 ? '' : `(${missed} bytes before this were not read in time and are gone)\n`;
  const how = exit === null ? '' : 'code' in exit ? `, exit code ${exit.code}` : `, by ${exit.signal}`;
  const end = running ? '' : `\n(The shell has ended: ${ended ?? 'it is gone'}${how}.)`;
  return `${gap}${text}${end}`;
}
