// SPDX-License-Identifier: Apache-2.0
import { z } from 'zod';
import { plainText } from './arguments.ts';
import { readSeen } from './seen.ts';
import { screenWords, seenScreen, shellId } from './shell-screen.ts';
import type { Tool } from './tool.ts';

const shell = shellId.describe('What shell.open returned.');
const HINTS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
const MAX_KEYS = 16_384;
const MAX_WAIT_MS = 20_000;

const writeInput = z.strictObject({
  shell,
  text: plainText(MAX_KEYS).min(1).describe('What is typed. Ends a line with \\n; a key is what its terminal sends: \\u0003 is Ctrl-C, \\u0004 Ctrl-D, \\u001b Escape.'),
});
const seenTyped = z.strictObject({ bytes: z.int().min(0) });

export const shellWrite: Tool<z.infer<typeof writeInput>> = {
  name: 'shell.write',
  title: 'Type into a shell',
  description: `Types text into a shell that you opened. It returns when the terminal has it, not when a command has ended: shell.read shows what came of it.
Recorded with what was typed; type no secret. Needs a shell that shell.open opened for you.`,
  input: writeInput,
  annotations: { ...HINTS, destructiveHint: true },
  needs: [],
  follows: 'shell.open',
  action: ({ shell: id, text }) => ({ runs: 'shell', shell: id, use: { what: 'write', text } }),
  reply: (_, result) => {
    const { bytes } = readSeen('shell.write', seenTyped, result);
    return { text: `Typed ${bytes} bytes.`, data: { bytes }, isError: false };
  },
};

const readInput = z.strictObject({
  shell,
  wait_ms: z.int().min(0).max(MAX_WAIT_MS).default(2_000).describe('How long to wait for something to be shown.'),
  raw: z.boolean().default(false).describe('With escape sequences and control characters; without it they are left out.'),
});

export const shellRead: Tool<z.infer<typeof readInput>> = {
  name: 'shell.read',
  title: 'Read what a shell shows',
  description: `Returns what a shell has shown since you last read, as text, and whether it still runs; waits for something to be shown, at most as long as you say.
The terminal echoes what is typed. The last 256 KiB are kept for you; of what was shown before and not read, only the size is told. Needs a shell that shell.open opened for you.`,
  input: readInput,
  annotations: HINTS,
  needs: [],
  follows: 'shell.open',
  action: ({ shell: id, wait_ms, raw }) => ({ runs: 'shell', shell: id, use: { what: 'read', waitMs: wait_ms, raw } }),
  reply: (_, result) => {
    const screen = readSeen('shell.read', seenScreen, result);
    return { text: screenWords(screen), data: screen, isError: false };
  },
};

const closeInput = z.strictObject({ shell });

export const shellClose: Tool<z.infer<typeof closeInput>> = {
  name: 'shell.close',
  title: 'Close a shell',
  description: `Hangs up: the programs of the shell are told (SIGHUP), and what has not ended a moment later is killed. Returns what it showed last.
What they changed in files stays. Needs a shell that shell.open opened for you.`,
  input: closeInput,
  annotations: { ...HINTS, destructiveHint: true, idempotentHint: true },
  needs: [],
  follows: 'shell.open',
  action: ({ shell: id }) => ({ runs: 'shell', shell: id, use: { what: 'close' } }),
  reply: (_, result) => {
    const screen = readSeen('shell.close', seenScreen, result);
    return { text: screenWords(screen), data: screen, isError: false };
  },
};
