// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { environment, pathArgument } from './arguments.ts';
import { readSeen } from './seen.ts';
import { screenWords, seenScreen, shellId } from './shell-screen.ts';
import type { Tool } from './tool.ts';

/** The longest that a shell stays open, and how long without a word from its agent. */
export const SHELL_LASTS_MS = 3_600_000;
export const SHELL_IDLE_MS = 600_000;
/** A person who watches one has to see it, too. */
const SIDE = z.int().min(20).max(500);

const input = z.strictObject({
  program: z.enum(['bash', 'sh']).default('bash').describe('Which shell.'),
  columns: SIDE.default(80).describe('Width of the terminal.'),
  rows: SIDE.max(200).default(24).describe('Height of the terminal.'),
  cwd: pathArgument('Directory to start in.').default('/workspace'),
  env: environment.default({}),
});
type Args = z.infer<typeof input>;

const seenOpened = z.strictObject({ shell: shellId, ...seenScreen.shape });

export const shellOpen: Tool<Args> = {
  name: 'shell.open',
  title: 'Open a shell',
  description: `Starts an interactive shell on a terminal, in one sandbox for as long as it stays open: what shell.write types goes there, shell.read returns what it shows.
Needs the capability shell:open, and the capability process:run:PROGRAM of the shell.
It sees what a program of process.run sees, and has no network. It ends after ${SHELL_LASTS_MS / 60_000} minutes, after ${SHELL_IDLE_MS / 60_000} without a call on it, with your connection, and with the grants it could use, with all its processes; you have at most two.
Everything typed and shown is recorded. For one command without a terminal use process.run.`,
  input,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  needs: ['shell:open', 'process:run:{program}'],
  action: ({ program, columns, rows, cwd, env }) => ({
    runs: 'sandbox',
    // Neither reads a file of the agent's for its start: what it does is typed, and so recorded.
    command: {
      kind: 'process',
      argv: program === 'bash' ? ['bash', '--noprofile', '--norc', '-i'] : ['sh', '-i'],
      cwd,
      env: { TERM: 'xterm-256color', ...env },
      terminal: { columns, rows },
    },
    stdin: null,
    timeoutMs: null,
  }),
  reply: (_, result) => {
    const { shell, ...screen } = readSeen('shell.open', seenOpened, result);
    return { text: `The shell ${shell} is open.\n${screenWords(screen)}`, data: { shell, ...screen }, isError: false };
  },
};
