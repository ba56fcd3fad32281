// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { pathArgument } from './arguments.ts';
import { fileAction, readFileCall, shown } from './file-call.ts';
import { parseFileRecords, type FileRecord } from './file-tool-records.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({
  path: pathArgument('Absolute path of a directory.'),
  max: z.int().min(1).max(2000).default(500).describe('Entries to return at most.'),
});
type Args = z.infer<typeof input>;

const facts = z.strictObject({ entries: z.int(), more: z.boolean() });

export const fsList: Tool<Args> = {
  name: 'fs.list',
  title: 'List a directory',
  description: `Lists what lies in one directory: name, kind, size, time of last change, mode, and where links point.
Not recursive; fs.search looks into files.
Needs the capability fs:read:PATH.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['fs:read:{path}'],
  action: (args) => fileAction('list', args.path, ['--max', String(args.max)]),
  reply: (args, result) => {
    const call = readFileCall('fs.list', args.path, result, facts);
    if (!call.ok) return call.reply;
    const records = parseFileRecords(call.stdout, call.cut);
    if (!records.ok) throw new Error(`fs.list: ${records.error}`);
    const entries = records.value.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const more = call.facts.more || call.cut;
    const text = [`${entries.length} entries in ${shown(args.path)}`, ...entries.map(line)].join('\n');
    return { text: more ? `${text}\n(there are more)` : text, data: { path: args.path, entries, more }, isError: false };
  },
};

function line(record: FileRecord): string {
  const link = record.target === null ? '' : ` -> ${shown(record.target)}`;
  return `${record.kind}\t${record.size}\t${record.modified}\t${record.mode}\t${shown(record.name)}${link}`;
}
