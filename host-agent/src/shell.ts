// SPDX-License-Identifier: Apache-2.0
import { createInterface, type Interface } from 'node:readline';
import { Readable } from 'node:stream';
import { AGENT_UIDS } from './cli/agent-uids.ts';
import { COMMANDS } from './cli/commands.ts';
import { EXIT, type ExitCode } from './cli/exit-code.ts';
import type { Io } from './cli/io.ts';
import { processIo } from './cli/process-io.ts';
import { runCommand, usage } from './cli/run-command.ts';
import { styled } from './cli/screen.ts';
import { shellWords } from './cli/shell-words.ts';
import { readSecretsState, secretsWarning } from './effects/secrets-state.ts';
import { takeRoot } from './root-option.ts';

/** `holdfast-shell`: the login shell of operators and agents. It knows the commands of `holdfast` and starts nothing else. */
export async function main(args: readonly string[]): Promise<void> {
  const { root, rest } = takeRoot(args);
  const gone = new AbortController();
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, () => gone.abort());
  const io = processIo(root, gone);
  process.exitCode = await entered(io, rest);
  process.stdin.destroy();
}

async function entered(io: Io, args: readonly string[]): Promise<ExitCode> {
  // Who comes in as one of the agent pool is an agent's client and gets its door, whatever was asked.
  if (io.uid >= AGENT_UIDS.first && io.uid <= AGENT_UIDS.last) return runCommand(io, ['mcp']);
  if (args[0] === '-c') {
    const words = shellWords(args[1] ?? '', 'ssh');
    return words.ok ? runCommand(io, words.value) : usage(io, words.error);
  }
  if (args.length === 0 || args[0] === '-l') return prompt(io);
  return usage(io, 'the shell takes -c COMMAND or nothing');
}

async function prompt(io: Io): Promise<ExitCode> {
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const output = terminal ? process.stdout : undefined;
  const history: string[] = [];
  const open = (): Interface => createInterface({ input: process.stdin, output, terminal, prompt: 'holdfast> ', completer, history: [...history] });
  let lines = open();
  let running: AbortController | null = null;
  let last: ExitCode = EXIT.ok;
  const again = (): void => {
    if (terminal) lines.prompt();
  };
  // Ctrl-C ends the command that runs, never the shell.
  const onInterrupt = (): void => {
    if (running !== null) return running.abort();
    process.stdout.write('\n');
    again();
  };
  const listen = (): void => {
    lines.on('SIGINT', onInterrupt);
    lines.on('history', (kept: string[]) => history.splice(0, history.length, ...kept));
  };
  listen();
  io.stop.addEventListener('abort', () => lines.close(), { once: true });
  if (terminal) {
    io.screen.line('the commands of holdfast, with or without that word; help, exit');
    const warning = secretsWarning(readSecretsState(io.paths.secretBindings));
    if (warning !== null) io.screen.line(styled(warning, 'red'));
  }
  again();
  for (let over = false; !over; ) {
    over = true;
    for await (const line of lines) {
      if (line.trim() === 'exit') break;
      if (line.trim() !== '') {
        running = new AbortController();
        const words = shellWords(line, 'prompt');
        // The keys of a terminal have one reader. While a secret may be typed that is the command: the prompt would show it and remember it.
        const keys = terminal && words.ok && words.value[0] === 'secret';
        if (keys) lines.close();
        if (keys) process.on('SIGINT', onInterrupt);
        // Else standard input is the prompt's: a command that would read it finds it empty.
        const own = { ...io, stdin: keys ? process.stdin : Readable.from([]), stop: AbortSignal.any([io.stop, running.signal]) };
        last = words.ok ? await runCommand(own, words.value) : usage(io, words.error);
        running = null;
        process.off('SIGINT', onInterrupt);
        over = !keys || io.stop.aborted;
        if (!over) {
          lines = open();
          listen();
          again();
          break;
        }
      }
      again();
    }
  }
  lines.close();
  return last;
}

function completer(line: string): [string[], string] {
  const known = COMMANDS.map((c) => c.words.join(' ')).filter((words) => words !== '' && words.startsWith(line));
  return [known, line];
}
