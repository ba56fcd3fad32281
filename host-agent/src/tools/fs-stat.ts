// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { pathArgument } from './arguments.ts';
import { fileAction, readFileCall, shown } from './file-call.ts';
import { parseFileRecords } from './file-tool-records.ts';
import type { Tool } from './tool.ts';

const input = z.strictObject({ path: pathArgument('Absolute path of anything.') });
type Args = z.infer<typeof input>;

const facts = z.strictObject({ uid: z.int(), gid: z.int(), links: z.int() });

export const fsStat: Tool<Args> = {
  name: 'fs.stat',
  title: 'Look at one path',
  description: `Tells kind, size, time of last change, mode and owner of one path, without reading it.
A link at the end is described itself, with its target.
Needs the capability fs:read:PATH.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['fs:read:{path}'],
  action: (args) => fileAction('stat', args.path, []),
  reply: (args, result) => {
    const call = readFileCall('fs.stat', args.path, result, facts);
    if (!call.ok) return call.reply;
    const records = parseFileRecords(call.stdout, false);
    const record = records.ok ? records.value[0] : undefined;
    if (record === undefined) throw new Error(`fs.stat: ${records.ok ? 'no record' : records.error}`);
    const { kind, size, modified, mode, target } = record;
    const data = { path: args.path, kind, size, modified, mode, target, ...call.facts };
    const link = target === null ? '' : ` to ${shown(target)}`;
    const text = `${shown(args.path)}: ${kind}${link}, ${size} bytes, changed ${modified}, mode ${mode}, owner ${data.uid}:${data.gid}`;
    return { text, data, isError: false };
  },
};
