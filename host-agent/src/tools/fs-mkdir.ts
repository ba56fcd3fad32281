// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { pathArgument } from './arguments.ts';
import { fileAction, readFileCall, shown } from './file-call.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({
  path: pathArgument('Absolute path of the directory.'),
  parents: z.boolean().default(false).describe('Create the directories above it too, and accept that it exists.'),
});
type Args = z.infer<typeof input>;

const facts = z.strictObject({ created: z.int() });

export const fsMkdir: Tool<Args> = {
  name: 'fs.mkdir',
  title: 'Create a directory',
  description: `Creates one directory, with parents: true also those above it that are missing.
Needs the capability fs:write:PATH.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  needs: ['fs:write:{path}'],
  action: (args) => fileAction('mkdir', args.path, args.parents ? ['--parents'] : []),
  reply: (args, result) => {
    const call = readFileCall('fs.mkdir', args.path, result, facts);
    if (!call.ok) return call.reply;
    const { created } = call.facts;
    const text = created === 0 ? `${shown(args.path)} exists already` : `created ${shown(args.path)} (${created} new)`;
    return { text, data: { path: args.path, created }, isError: false };
  },
};
