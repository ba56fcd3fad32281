// SPDX-License-Identifier: Apache-2.0
import { processIo } from './cli/process-io.ts';
import { runCommand } from './cli/run-command.ts';
import { takeRoot } from './root-option.ts';

/** `holdfast`: one command line. */
export async function main(args: readonly string[]): Promise<void> {
  const { root, rest } = takeRoot(args);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  process.exitCode = await runCommand(processIo(root, stop), rest);
  // Standard input may be a pipe that nobody closes; it must not keep an answered command alive.
  process.stdin.destroy();
}
