// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { normalisePath } from '../capability/path.ts';
import type { Result } from '../identity/result.ts';
import { callEnvironment, SETTABLE_NAMES } from '../sandbox/environment.ts';

// Shapes that several tools take. A transform here is the one reading of an argument: what comes out is judged, recorded and
// run (A02, A24).

const utf8 = new TextEncoder();

export function byteLength(text: string): number {
  return utf8.encode(text).length;
}

/** A schema out of a parser that says in words what is wrong. */
function readBy<T>(parse: (text: string) => Result<T>) {
  return (text: string, context: z.RefinementCtx): T => {
    const read = parse(text);
    if (read.ok) return read.value;
    context.addIssue({ code: 'custom', message: read.error });
    return z.NEVER;
  };
}

export function textReadBy<T>(schema: z.ZodString, parse: (text: string) => Result<T>) {
  return schema.transform(readBy(parse));
}

export function pathArgument(description: string) {
  return textReadBy(z.string().min(1).max(4096).describe(description), normalisePath);
}

/** Free text for a program: anything but NUL, which would end it early for everything written in C (A04). */
export function plainText(maxBytes: number) {
  return z
    .string()
    .max(maxBytes)
    .refine((text) => !text.includes('\0'), 'must not hold NUL')
    .refine((text) => text.isWellFormed(), 'must not hold a lone surrogate')
    .refine((text) => byteLength(text) <= maxBytes, `must be at most ${maxBytes} bytes of UTF-8`);
}

/** What a caller may choose of a program's environment. */
export const environment = z
  .record(z.string(), z.string())
  .superRefine((env, context) => {
    const checked = callEnvironment(env, '/workspace');
    if (!checked.ok) context.addIssue({ code: 'custom', message: checked.error });
  })
  .describe(`Environment variables; only ${SETTABLE_NAMES.join(', ')} can be set.`);
