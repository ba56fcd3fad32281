// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { pathArgument } from './arguments.ts';
import { fileAction, readFileCall, shown } from './file-call.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({
  path: pathArgument('Absolute path of a file, a link or a directory.'),
  recursive: z.boolean().default(false).describe('Delete a directory with all that lies in it.'),
});
type Args = z.infer<typeof input>;

const facts = z.strictObject({ removed: z.int() });

export const fsDelete: Tool<Args> = {
  name: 'fs.delete',
  title: 'Delete a path',
  description: `Deletes one file, one link (never its target) or one empty directory; with recursive: true a directory and all that
lies in it. What lies in the workspace is kept first, and an operator can bring it back (holdfast undo) while that is kept; elsewhere
there is no way back.
Needs the capability fs:delete:PATH, and with recursive: true also fs:delete:PATH/**.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  needs: ['fs:delete:{path}'],
  moreNeeds: (args) => (args.recursive ? ['fs:delete:{path}/**'] : []),
  treeHint: 'One file, link or empty directory is deleted without recursive: true.',
  action: (args) => fileAction('delete', args.path, args.recursive ? ['--recursive'] : []),
  reply: (args, result) => {
    const call = readFileCall('fs.delete', args.path, result, facts);
    if (!call.ok) return call.reply;
    const { removed } = call.facts;
    return { text: `deleted ${shown(args.path)} (${removed} removed)`, data: { path: args.path, removed }, isError: false };
  },
};
