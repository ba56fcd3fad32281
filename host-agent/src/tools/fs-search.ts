// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { pathArgument, plainText } from './arguments.ts';
import { fileAction, readFileCall, shown } from './file-call.ts';
import { parseMatchRecords } from './file-tool-records.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({
  path: pathArgument('Absolute path of a directory to search through, or of one file.'),
  text: plainText(1024)
    .min(1)
    .refine((text) => !/[\r\n]/.test(text), 'must be part of one line')
    .describe('Text to find, exactly as it is written: no patterns, upper and lower case differ.'),
  recursive: z.boolean().default(true).describe('Search all that lies below a directory. Pass false to search one file.'),
  max_matches: z.int().min(1).max(500).default(100).describe('Matching lines to return at most.'),
  max_depth: z.int().min(0).max(64).default(32).describe('Directories to go down at most; 0 looks only at files directly in it.'),
});
type Args = z.infer<typeof input>;

const facts = z.strictObject({
  matches: z.int(),
  files: z.int(),
  bytes: z.int(),
  binary: z.int(),
  cut: z.int(),
  unreadable: z.int(),
  truncated: z.enum(['', 'matches', 'files', 'bytes', 'depth']),
});

export const fsSearch: Tool<Args> = {
  name: 'fs.search',
  title: 'Search in files',
  description: `Finds the lines that contain a literal text, in one file or in all text files below a directory.
Gives path, line number and line (shortened).
Links are not followed, binary files are skipped, and of one file the first 8 MiB are searched.
Needs the capability fs:read:PATH and also fs:read:PATH/**, or with recursive: false, for one file, only the first.
What your type is denied for ever is left out.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['fs:read:{path}'],
  moreNeeds: (args) => (args.recursive ? ['fs:read:{path}/**'] : []),
  treeHint: 'To search one file pass recursive: false.',
  action: ({ path, text, recursive, max_matches, max_depth }) =>
    fileAction('search', path, [...(recursive ? ['--recursive'] : []), '--text', text, '--max-matches', String(max_matches), '--max-depth', String(max_depth)]),
  reply: (args, result) => {
    const call = readFileCall('fs.search', args.path, result, facts);
    if (!call.ok) return call.reply;
    const records = parseMatchRecords(call.stdout, call.cut);
    if (!records.ok) throw new Error(`fs.search: ${records.error}`);
    const matches = records.value.map(({ path, line, text }) => ({ path: under(args.path, path), line, text }));
    const { files, binary, cut, unreadable } = call.facts;
    const truncated = call.facts.truncated !== '' ? call.facts.truncated : call.cut ? 'matches' : null;
    const data = { path: args.path, matches, files, binary, cut, unreadable, truncated };
    const lines = matches.map((match) => `${shown(match.path)}:${match.line}: ${match.text}`);
    const more = truncated === null ? [] : [`(not all was searched: the limit of ${truncated} was reached; search in a narrower path)`];
    const shut = unreadable === 0 ? [] : [`(${unreadable} files or directories could not be opened and were left out)`];
    return { text: [`${matches.length} matches in ${files} files`, ...lines, ...shut, ...more].join('\n'), data, isError: false };
  },
};

function under(path: string, name: string): string {
  if (name === '.') return path;
  return path === '/' ? `/${name}` : `${path}/${name}`;
}
