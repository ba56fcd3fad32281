// SPDX-License-Identifier: Apache-2.0
// An agent's door as its client on a laptop has it: `ssh agent-NAME@box`, one JSON-RPC message a line.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { machine } from './machine.ts';

export type ToolAnswer = { readonly isError: boolean; readonly text: string; readonly data: Record<string, unknown> };

type Message = { readonly id?: number | null; readonly result?: any; readonly error?: { readonly code: number; readonly message: string } };

export type Door = {
  /** Bytes as they are, right or wrong; false when the channel is full or gone. */
  readonly write: (bytes: string | Uint8Array) => boolean;
  readonly drained: () => Promise<void>;
  readonly ask: (method: string, params: object) => Promise<Message>;
  /** The next message whose id is `id`; one that no request asked for has id null. */
  readonly answerTo: (id: number | null) => Promise<Message>;
  readonly call: (tool: string, args: Record<string, unknown>) => Promise<ToolAnswer>;
  /** Resolves when the other side has closed, with what ssh said. */
  readonly closed: Promise<{ readonly status: number | null; readonly stderr: string }>;
  readonly close: () => void;
};

export type DoorOptions = {
  /** Says who it is first. Default true. */
  readonly greet?: boolean;
  /** Reads what comes. Default true; a client that never reads is a case of its own. */
  readonly read?: boolean;
  /** What the client asks ssh to run; sshd runs `holdfast mcp` whatever it is. */
  readonly command?: readonly string[];
};

export async function openDoor(agent: string, { greet = true, read = true, command = [] }: DoorOptions = {}): Promise<Door> {
  const child = spawn('ssh', ['-F', machine().sshConfig, `agent-${agent}`, ...command], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  let next = 1;
  let gone = false;
  const early: Message[] = [];
  const waiting = new Map<number | null, { resolve: (message: Message) => void; reject: (fault: Error) => void }>();
  // Closed in the middle of a line: what ssh could not pass on is the point of some tests.
  child.stdin.on('error', () => undefined);
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = new Promise<{ status: number | null; stderr: string }>((resolve) => {
    child.once('close', (status) => {
      gone = true;
      for (const { reject } of waiting.values()) reject(new Error(`the door of ${agent} closed before an answer came: ${stderr}`));
      waiting.clear();
      resolve({ status, stderr });
    });
  });
  if (read) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as Message;
      const id = message.id ?? null;
      const waiter = waiting.get(id);
      if (waiter === undefined) return void early.push(message);
      waiting.delete(id);
      waiter.resolve(message);
    });
  }

  function answerTo(id: number | null): Promise<Message> {
    const at = early.findIndex((message) => (message.id ?? null) === id && (message.result !== undefined || message.error !== undefined));
    if (at !== -1) return Promise.resolve(early.splice(at, 1)[0]!);
    if (gone) return Promise.reject(new Error(`the door of ${agent} is closed: ${stderr}`));
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  function say(message: object): void {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  function ask(method: string, params: object): Promise<Message> {
    const id = next++;
    say({ id, method, params });
    return answerTo(id);
  }

  async function call(tool: string, args: Record<string, unknown>): Promise<ToolAnswer> {
    const { result, error } = await ask('tools/call', { name: tool, arguments: args });
    if (error !== undefined) return { isError: true, text: error.message, data: {} };
    const text = result.content.map((part: { text?: string }) => part.text ?? '').join('\n');
    return { isError: result.isError === true, text, data: result.structuredContent ?? {} };
  }

  function close(): void {
    child.stdin.end();
    child.kill();
  }

  if (greet) {
    await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'vm-test', version: '1' } });
    say({ method: 'notifications/initialized' });
  }
  return {
    write: (bytes) => !gone && child.stdin.write(bytes),
    drained: () => new Promise((resolve) => {
      child.stdin.once('drain', resolve);
      child.once('close', resolve);
    }),
    ask,
    answerTo,
    call,
    closed,
    close,
  };
}

/** Tool calls over one connection, one after the other. */
export async function callTools(agent: string, calls: readonly { tool: string; args: Record<string, unknown> }[]): Promise<ToolAnswer[]> {
  const door = await openDoor(agent);
  try {
    const answers: ToolAnswer[] = [];
    for (const { tool, args } of calls) answers.push(await door.call(tool, args));
    return answers;
  } finally {
    door.close();
  }
}
