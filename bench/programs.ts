// SPDX-License-Identifier: Apache-2.0
// What the measurements run: their own small programs, and the host agent as it is built for the image.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOfInputs, repository, runInTools } from '../image/host/workplace.ts';

const out = join(repository, 'build/bench');

export type Programs = { readonly spawn: string; readonly callClient: string };

/** Compiled by the tools tree and static: they run here and in the machine. */
export async function benchPrograms(): Promise<Programs> {
  mkdirSync(out, { recursive: true });
  const made = { spawn: join(out, 'spawn'), callClient: join(out, 'call-client') };
  for (const [program, source] of [[made.spawn, 'floor/spawn.c'], [made.callClient, 'call-client.c']] as const) {
    await runInTools([repository], ['gcc', '-std=c17', '-static', '-O2', '-Wall', '-Wextra', '-Werror', '-o', program, join(repository, 'bench', source)]);
  }
  return made;
}

/** The folder that the image gets as /usr/lib/holdfast, built from the sources as they are. */
export function hostAgent(): string {
  const stamp = join(out, 'host-agent');
  const inputs = hashOfInputs(['host-agent', 'seccomp', 'package-lock.json'], /\.test\.ts$|\/testdata\//);
  const programs = join(repository, 'build/root/usr/lib/holdfast');
  mkdirSync(out, { recursive: true });
  if (!isCurrent(stamp, inputs)) {
    execFileSync(process.execPath, [join(repository, 'host-agent/build.ts')], { cwd: repository, stdio: ['ignore', 2, 2] });
    writeFileSync(stamp, inputs);
  }
  return programs;
}

function isCurrent(stamp: string, inputs: string): boolean {
  try {
    return readFileSync(stamp, 'utf8') === inputs;
  } catch {
    return false;
  }
}

/** The microseconds that one of our programs printed, one a line. */
export function timesIn(output: string): readonly number[] {
  return output.split('\n').filter((line) => line !== '').map(Number);
}
