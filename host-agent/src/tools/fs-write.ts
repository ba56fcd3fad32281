// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { sha256Hex } from '../ledger/digest.ts';
import { byteLength, pathArgument } from './arguments.ts';
import { parseBase64 } from './base64.ts';
import { fileAction, readFileCall, shown } from './file-call.ts';
import type { Tool } from './tool.ts';

const MOST = 524_288;

const input = z
  .strictObject({
    path: pathArgument('Absolute path of the file.'),
    // Any character may be content of a file, NUL too.
    text: z
      .string()
      .max(MOST)
      .refine((text) => text.isWellFormed(), 'must not hold a lone surrogate')
      .refine((text) => byteLength(text) <= MOST, `must be at most ${MOST} bytes of UTF-8`)
      .optional()
      .describe('Content as text. Give text or base64, not both.'),
    base64: z
      .string()
      .max(Math.ceil(MOST / 3) * 4)
      .optional()
      .describe('Content as base64, for what is not text.'),
    mode: z
      .enum(['create', 'replace', 'append'])
      .default('replace')
      .describe('create: only if it does not exist. replace: whole or not at all. append: at the end.'),
  })
  .superRefine((args, context) => {
    if ((args.text === undefined) === (args.base64 === undefined)) {
      context.addIssue({ code: 'custom', message: 'give either text or base64' });
    }
    const bytes = args.base64 === undefined ? null : parseBase64(args.base64);
    if (bytes === null) return;
    const wrong = !bytes.ok ? bytes.error : bytes.value.length > MOST ? `must be at most ${MOST} bytes` : null;
    if (wrong !== null) context.addIssue({ code: 'custom', path: ['base64'], message: wrong });
  });
type Args = z.infer<typeof input>;

const facts = z.strictObject({ bytes: z.int(), created: z.boolean() });

export const fsWrite: Tool<Args> = {
  name: 'fs.write',
  title: 'Write a file',
  description: `Writes one file of at most ${MOST / 1024} KiB: replaces it whole (the default), creates it, or appends to it.
Its directory must exist.
Needs the capability fs:write:PATH. Symbolic links are not followed. The reply has the SHA-256 of what was written.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  needs: ['fs:write:{path}'],
  action: (args) => fileAction('write', args.path, ['--mode', args.mode], contentOf(args)),
  reply: (args, result) => {
    const call = readFileCall('fs.write', args.path, result, facts);
    if (!call.ok) return call.reply;
    const content = contentOf(args);
    if (call.facts.bytes !== content.length) throw new Error(`fs.write: ${call.facts.bytes} of ${content.length} bytes were written`);
    const { created } = call.facts;
    const digest = sha256Hex(content);
    const did = created ? 'created' : args.mode === 'append' ? 'appended to' : 'replaced';
    const text = `${did} ${shown(args.path)}: ${content.length} bytes, sha256 ${digest}`;
    return { text, data: { path: args.path, bytes: content.length, created, sha256: digest }, isError: false };
  },
};

function contentOf(args: Args): Uint8Array {
  if (args.base64 === undefined) return new TextEncoder().encode(args.text ?? '');
  const bytes = parseBase64(args.base64);
  if (!bytes.ok) throw new Error('fs.write: arguments that were not checked');
  return bytes.value;
}
