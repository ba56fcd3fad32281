// SPDX-License-Identifier: Apache-2.0
// The machine of a VM test: the very file that `make run` boots, one boot for all files of a worker that leave it whole.
import { inject } from 'vitest';
import { isRunning, pause, ssh } from '../../image/host/machine.ts';

declare module 'vitest' {
  interface ProvidedContext {
    machineDirs: string[];
  }
}

export type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

export function machine() {
  const running = isRunning(inject('machineDirs')[Number(process.env['VITEST_POOL_ID']) - 1]!);
  if (running === null) throw new Error('the test machine does not run');
  return running;
}

/** As root, by the key that only a test's seed enrols: for looking at the machine from outside, and for switching guards off. */
export function asRoot(command: string, input = ''): Ran {
  return ssh(machine(), 'root', command, input);
}

/** As root; a non-zero status is a fault of the test. */
export function root(command: string, input = ''): string {
  const ran = asRoot(command, input);
  if (ran.status !== 0) throw new Error(`as root: ${command}\nstatus ${ran.status}\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

/** Any command line as a person would give it to ssh; null for none. */
export function as(user: string, command: string | null, input: string | Uint8Array = ''): Ran {
  return ssh(machine(), user, command, input);
}

/** A `holdfast` command as the operator alice (or another). */
export function holdfast(words: string, operator = 'alice', input = ''): Ran {
  return ssh(machine(), operator, `holdfast ${words}`, input);
}

/** What a `holdfast … --json` command prints: one value a line. */
export function jsonLines<T>(words: string, operator = 'alice'): T[] {
  const ran = holdfast(`${words} --json`, operator);
  if (ran.stdout === '' && ran.status !== 0) throw new Error(`holdfast ${words}: status ${ran.status}\n${ran.stderr}`);
  return ran.stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

/** No test is one of speed: how long a wait may last under emulation, on a machine that others use too. */
export const PATIENCE_S = 180;

/** Asks again and again until `holds` answers something other than false, null or undefined. */
export async function until<T>(what: string, holds: () => T | false | null | undefined | Promise<T | false | null | undefined>, seconds = PATIENCE_S): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await holds();
    if (answer !== false && answer !== null && answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await pause(200);
  }
}

export function mainPid(unit: string): number {
  return Number(root(`systemctl show -P MainPID ${unit}`));
}

export type LogLine = {
  readonly seq: number;
  readonly kind: string;
  readonly data: Record<string, unknown>;
  readonly actor: { readonly type: string; readonly id: string };
};

/** Entries of the ledger, oldest first. */
export function log(words: string): LogLine[] {
  return jsonLines<LogLine>(`log ${words}`);
}

/** The newest entry's number. */
export function head(): number {
  return log('--limit 1')[0]?.seq ?? 0;
}

/** The entries after `seq` that match. */
export function logSince(seq: number, words = ''): LogLine[] {
  return log(`${words} --limit 1000`).filter((entry) => entry.seq > seq);
}

/** Declares an agent, or declares it anew. */
export function declare(file: string): void {
  const added = holdfast('agent add - --replace', 'alice', file);
  if (added.status !== 0) throw new Error(`cannot declare an agent: ${added.stderr}${added.stdout}`);
}

/** A call ends with the grants it could use, so one that a test leaves behind would end another test's calls. */
export function revokeAll(agent: string): void {
  for (const { id } of jsonLines<{ id: string; agent: string }>('grants').filter((grant) => grant.agent === agent)) holdfast(`revoke ${id}`);
}
