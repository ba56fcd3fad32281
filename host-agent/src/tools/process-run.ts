// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { normalisePath } from '../capability/path.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { JsonObject } from '../ledger/entry.ts';
import type { RunResult } from '../sandbox/permit.ts';
import { MOST_SECRETS } from '../sandbox/secret-descriptors.ts';
import { parseSecretName } from '../secret/name.ts';
import { byteLength, environment, pathArgument, plainText, textReadBy } from './arguments.ts';
import { encodeOutput, outputData, type Encoded } from './output.ts';
import type { Tool, ToolReply } from './tool.ts';

const MAX_ARGUMENTS = 1000;
const MAX_ARGUMENT_BYTES = 131_071;
const MAX_ALL_BYTES = 524_288;
const MAX_STDIN_BYTES = 524_288;
/** Of stdout and of stderr, each, in the reply. */
const MAX_SHOWN_BYTES = 65_536;

const BARE = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$/;
const IN_IMAGE = /^\/usr\/[A-Za-z0-9_.+/-]{1,250}$/;

/** One program has one name here, since a capability names it: `git`, never also `/usr/bin/git` or `./git`. */
export function parseProgram(text: string): Result<string> {
  if (BARE.test(text)) return accept(text);
  const path = normalisePath(text);
  if (!path.ok || path.value !== text || !IN_IMAGE.test(text)) {
    return refuse('must be the bare name of a program such as git, or an absolute path below /usr; put arguments into args');
  }
  if (/^\/usr\/s?bin\//.test(text)) return refuse('is found by its bare name: leave out the directory');
  return accept(text);
}

function fitTogether(args: readonly string[]): boolean {
  return args.reduce((sum, arg) => sum + byteLength(arg) + 1, 0) <= MAX_ALL_BYTES;
}

export const commandArguments = z
  .array(plainText(MAX_ARGUMENT_BYTES))
  .max(MAX_ARGUMENTS)
  .refine(fitTogether, `must be at most ${MAX_ALL_BYTES} bytes together`)
  .default([])
  .describe('Arguments, one per item, passed as they are: no shell reads them.');

export const commandStdin = plainText(MAX_STDIN_BYTES).optional().describe('Text for the standard input; empty without it.');

const input = z.strictObject({
  program: textReadBy(z.string().min(1).max(255).describe('Bare name, such as git, or an absolute path below /usr.'), parseProgram),
  args: commandArguments,
  cwd: pathArgument('Directory to start in.').default('/workspace'),
  stdin: commandStdin,
  env: environment.default({}),
  secrets: z
    .array(textReadBy(z.string().min(1).max(64), parseSecretName))
    .min(1)
    .max(MOST_SECRETS)
    .refine((names) => new Set(names).size === names.length, 'must name each secret once')
    .optional()
    .describe('Names of secrets that the program is to read from descriptors, each with secret:read:NAME.'),
  timeout_ms: z
    .int()
    .min(1)
    .max(86_400_000)
    .optional()
    .describe('Milliseconds after which the whole process tree is removed; the limit of the agent holds if it is shorter.'),
});
type Args = z.infer<typeof input>;

export const processRun: Tool<Args> = {
  name: 'process.run',
  title: 'Run a program',
  description: `Runs one program of the machine's image in a sandbox of its own and returns its exit status, output and errors.
Needs the capability process:run:PROGRAM, and secret:read:NAME for each of secrets.
No shell is involved: no pipes, globs or variables; run sh with ["-c", "..."] where you hold process:run:sh.
It sees the image's /usr and the paths your fs capabilities name, without what your type is denied for ever; it has no network, and is removed with all its children at the deadline.
A secret is read once, from the descriptor whose number is in HOLDFAST_SECRET_FD_NAME: value=$(cat <&"$HOLDFAST_SECRET_FD_NAME") in sh; results come back without it.
Up to ${MAX_SHOWN_BYTES / 1024} KiB of each output come back; write larger results to a file in /workspace and read it with fs.read.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  needs: ['process:run:{program}'],
  moreNeeds: ({ secrets = [] }) => secrets.map((name) => `secret:read:${name}`),
  action: (args) => ({
    runs: 'sandbox',
    command: { kind: 'process', argv: [args.program, ...args.args], cwd: args.cwd, env: args.env, ...(args.secrets === undefined ? {} : { secrets: args.secrets }) },
    stdin: args.stdin === undefined ? null : new TextEncoder().encode(args.stdin),
    timeoutMs: args.timeout_ms ?? null,
  }),
  reply: (args, result) => {
    if (!('ran' in result)) throw new Error('process.run was not run');
    return replyOfRun(args.program, result.ran);
  },
};

export function replyOfRun(program: string, ran: RunResult): ToolReply {
  const stdout = encodeOutput(ran.stdout, ran.dropped.stdout, MAX_SHOWN_BYTES);
  const stderr = encodeOutput(ran.stderr, ran.dropped.stderr, MAX_SHOWN_BYTES);
  const code = 'code' in ran.exit ? ran.exit.code : null;
  const signal = 'signal' in ran.exit ? ran.exit.signal : null;
  const data: JsonObject = { exit_code: code, signal, deadline: ran.deadline, stdout: outputData(stdout), stderr: outputData(stderr) };
  const text = [endOf(program, ran), section('stdout', stdout), section('stderr', stderr)].filter((part) => part !== '').join('\n');
  return { text, data, isError: ran.deadline || code !== 0 };
}

function endOf(program: string, ran: RunResult): string {
  if (ran.deadline) return `${program} was removed at its deadline: its time limit, or the end of a grant that it could use. Give it a larger timeout_ms, or less to do.`;
  if ('signal' in ran.exit) return `${program} was ended by ${ran.exit.signal}.`;
  if (ran.exit.code === 127) return `${program} ended with exit code 127: usually there is no such program in the image.`;
  if (ran.exit.code === 126) return `${program} ended with exit code 126: usually it may not be executed.`;
  return `${program} ended with exit code ${ran.exit.code}.`;
}

export function section(name: string, output: Encoded & { readonly missing: number }): string {
  if (output.content === '' && output.missing === 0) return '';
  const head = output.encoding === 'base64' ? `${name} (not UTF-8, as base64):` : `${name}:`;
  const tail = output.missing > 0 ? `\n(${output.missing} more bytes are not shown)` : '';
  return `${head}\n${output.content}${tail}`;
}
