// SPDX-License-Identifier: Apache-2.0
// The machine that the VM tests share: the very file that `make run` boots, one boot for all files that leave it whole.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';
import { isRunning, ssh } from '../../image/host/machine.ts';
import { cache } from '../../image/host/workplace.ts';

declare module 'vitest' {
  interface ProvidedContext {
    machineDir: string;
  }
}

export const machineDir = join(cache, 'test-machine');

export type Ran = { readonly status: number; readonly stdout: string; readonly stderr: string };

function machine() {
  const running = isRunning(inject('machineDir'));
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
export function as(user: string, command: string | null, input = ''): Ran {
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

export type ToolAnswer = { readonly isError: boolean; readonly text: string; readonly data: Record<string, unknown> };

/** Tool calls over `ssh agent-NAME@box`: one connection, one call after the other. */
export async function callTools(agent: string, calls: readonly { tool: string; args: Record<string, unknown> }[]): Promise<ToolAnswer[]> {
  const child = spawn('ssh', ['-F', machine().sshConfig, `agent-${agent}`], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const answerTo = async (id: number): Promise<any> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the door of ${agent} closed before an answer came: ${complaint}`);
      const message = JSON.parse(value);
      if (message.id === id) return message;
    }
  };
  try {
    say({ id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'vm-test', version: '1' } } });
    await answerTo(0);
    say({ method: 'notifications/initialized' });
    const answers: ToolAnswer[] = [];
    for (const [n, call] of calls.entries()) {
      say({ id: n + 1, method: 'tools/call', params: { name: call.tool, arguments: call.args } });
      const { result, error } = await answerTo(n + 1);
      answers.push(
        error
          ? { isError: true, text: error.message, data: {} }
          : { isError: result.isError === true, text: result.content.map((part: { text?: string }) => part.text ?? '').join('\n'), data: result.structuredContent ?? {} },
      );
    }
    return answers;
  } finally {
    child.stdin.end();
    child.kill();
  }
}
