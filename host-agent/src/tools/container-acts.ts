// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import type { JsonObject } from '../ledger/entry.ts';
import { textReadBy } from './arguments.ts';
import { parseBase64 } from './base64.ts';
import { containerName } from './container-run.ts';
import { encodeOutput, outputData } from './output.ts';
import { section } from './process-run.ts';
import { readSeen } from './seen.ts';
import type { Tool, ToolReply } from './tool.ts';

const MAX_SHOWN_BYTES = 65_536;

const input = z.strictObject({ name: containerName.describe('As you named it in container.run.') });
type Args = z.infer<typeof input>;

const seenContainer = z.strictObject({
  /** null while it runs. */
  ended: z
    .union([
      z.strictObject({ code: z.int(), deadline: z.boolean() }),
      z.strictObject({ signal: z.string(), deadline: z.boolean() }),
      z.strictObject({ error: z.string() }),
    ])
    .nullable(),
  stdout: textReadBy(z.string(), parseBase64),
  stderr: textReadBy(z.string(), parseBase64),
  dropped: z.strictObject({ stdout: z.int(), stderr: z.int() }),
});

export const containerLogs: Tool<Args> = {
  name: 'container.logs',
  title: 'Output of a container',
  description: `Shows what one of your containers has written so far and whether it runs; for a short while also after its end. Changes nothing.
Needs the capability container:logs:NAME.`,
  input,
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  needs: ['container:logs:{name}'],
  action: ({ name }) => ({ runs: 'container', name, act: 'logs' }),
  reply: (args, result) => replyOf(args.name, readSeen('container.logs', seenContainer, result)),
};

export const containerStop: Tool<Args> = {
  name: 'container.stop',
  title: 'End a container',
  description: `Ends one of your containers at once, with every process in it, and shows what it had written. Stopping one that has ended changes nothing.
Needs the capability container:stop:NAME.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  needs: ['container:stop:{name}'],
  action: ({ name }) => ({ runs: 'container', name, act: 'stop' }),
  reply: (args, result) => replyOf(args.name, readSeen('container.stop', seenContainer, result)),
};

function replyOf(name: string, seen: z.infer<typeof seenContainer>): ToolReply {
  const stdout = encodeOutput(seen.stdout, seen.dropped.stdout, MAX_SHOWN_BYTES);
  const stderr = encodeOutput(seen.stderr, seen.dropped.stderr, MAX_SHOWN_BYTES);
  const data: JsonObject = { name, running: seen.ended === null, ended: seen.ended, stdout: outputData(stdout), stderr: outputData(stderr) };
  const text = [stateOf(name, seen.ended), section('stdout', stdout), section('stderr', stderr)].filter((part) => part !== '').join('\n');
  return { text, data, isError: false };
}

function stateOf(name: string, ended: z.infer<typeof seenContainer>['ended']): string {
  if (ended === null) return `${name} runs.`;
  if ('error' in ended) return `${name} could not be run: ${ended.error}.`;
  if (ended.deadline) return `${name} was removed at its time limit.`;
  return 'code' in ended ? `${name} ended with exit code ${ended.code}.` : `${name} was ended by ${ended.signal}.`;
}
