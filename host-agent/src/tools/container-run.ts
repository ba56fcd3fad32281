// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { BAKED_IMAGE, isContainerName, isImageName } from '../sandbox/container-name.ts';
import { environment, plainText, pathArgument } from './arguments.ts';
import { commandArguments, commandStdin, replyOfRun } from './process-run.ts';
import type { Tool } from './tool.ts';

/** Less than what clients wait for an answer, who commonly give up after a minute. */
const WAIT_MS = 30_000;

export const containerName = z.string().max(31).refine(isContainerName, 'must be a letter a-z, then a-z, 0-9, - and _, at most 31 in all');

const input = z.strictObject({
  name: containerName.describe('Your own name for it, for container.logs and container.stop.'),
  image: z.string().max(71).refine(isImageName, `must be ${BAKED_IMAGE}, or sha256- and 64 hexadecimal digits`).default(BAKED_IMAGE)
    .describe(`${BAKED_IMAGE} is on every machine: shell tools, git, Python, Node, npm. Another is named by the digest with which an operator brought it in for you.`),
  program: plainText(4096).min(1).describe('Program of the image: bare name, or a path in the container.'),
  args: commandArguments,
  cwd: pathArgument('Directory to start in.').default('/workspace'),
  stdin: commandStdin,
  env: environment.default({}),
  wait_ms: z.int().min(0).max(86_400_000).default(WAIT_MS).describe('How long to wait for its end before you are told that it goes on.'),
  timeout_ms: z.int().min(1).max(86_400_000).optional().describe('Milliseconds after which all of it is removed; the limit of the agent holds if it is shorter.'),
});
type Args = z.infer<typeof input>;

export const containerRun: Tool<Args> = {
  name: 'container.run',
  title: 'Run a container',
  description: `Runs one program in a container: the image's own file system, read-only, with /workspace as far as you hold all of it, a /tmp of its own,
no network and no capabilities. It is not root on the machine. All of it is removed when the program ends, and at the time limit.
Needs the capability container:run:IMAGE.
Returns the program's exit status and output, or after wait_ms that it goes on: then container.logs and container.stop.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  needs: ['container:run:{image}'],
  action: ({ name, image, program, args, cwd, stdin, env, wait_ms, timeout_ms }) => ({
    runs: 'sandbox',
    command: { kind: 'container', container: { name, image }, argv: [program, ...args], cwd, env },
    stdin: stdin === undefined ? null : new TextEncoder().encode(stdin),
    timeoutMs: timeout_ms ?? null,
    replyAfterMs: wait_ms,
  }),
  reply: (args, result) => {
    if (!('ran' in result)) throw new Error('container.run was not run');
    return replyOfRun(args.program, result.ran);
  },
};
