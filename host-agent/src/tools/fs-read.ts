// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { pathArgument } from './arguments.ts';
import { fileAction, readFileCall } from './file-call.ts';
import { encodeBytes, trimTail } from './output.ts';
import type { Tool } from './tool.ts';

const MOST = 131_072;

const input = z.strictObject({
  path: pathArgument('Absolute path of a file.'),
  offset: z.int().min(0).default(0).describe('Byte to start at.'),
  max: z.int().min(1).max(MOST).default(65_536).describe('Bytes to read at most.'),
});
type Args = z.infer<typeof input>;

const facts = z.strictObject({ size: z.int(), offset: z.int(), bytes: z.int(), end: z.boolean() });

export const fsRead: Tool<Args> = {
  name: 'fs.read',
  title: 'Read a file',
  description: `Reads one regular file, up to ${MOST / 1024} KiB a call: as text when it is UTF-8, else as base64.
Larger files: read on at next_offset.
Needs the capability fs:read:PATH. Symbolic links are not followed: name the target itself.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['fs:read:{path}'],
  action: (args) => fileAction('read', args.path, ['--offset', String(args.offset), '--max', String(args.max)]),
  reply: (args, result) => {
    const call = readFileCall('fs.read', args.path, result, facts);
    if (!call.ok) return call.reply;
    const ended = call.facts.end && !call.cut;
    const bytes = trimTail(call.stdout, !ended);
    const { encoding, content } = encodeBytes(bytes);
    const next = ended ? null : args.offset + bytes.length;
    const { size } = call.facts;
    const data = { path: args.path, size, offset: args.offset, bytes: bytes.length, end: ended, next_offset: next, encoding, content };
    const head = encoding === 'base64' ? `(${bytes.length} bytes that are not UTF-8 text, as base64)\n` : '';
    const tail = next === null ? '' : `\n(bytes ${args.offset} to ${next} of ${size}; read on with offset ${next})`;
    return { text: `${head}${content}${tail}`, data, isError: false };
  },
};
