// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { CallLimits } from '../sandbox/permit.ts';
import { wipe, wipeable } from '../secret/values.ts';
import { addon } from './addon.ts';
import { makeCallCgroup, type CallCgroup } from './call-cgroup.ts';
import { capOutput, type CappedOutput } from './capped-output.ts';

const REPORT_MAX = 64 * 1024;

/** A call-launch that has built what it could without a permit, in the control group of its one call, and waits for the rest. */
export type Sandbox = {
  readonly cgroup: CallCgroup;
  readonly stdout: CappedOutput;
  readonly stderr: CappedOutput;
  readonly report: CappedOutput;
  /** null, or why the program could not be started. */
  readonly exited: Promise<string | null>;
  /** Once: what the call adds, in its frame, which is wiped, and its input. */
  readonly enter: (call: Buffer, stdin: Uint8Array | null | 'open') => void;
  /** The input of a call that was entered with an open one: more of it, and its end. `taken`: when the kernel has it. */
  readonly input: { readonly write: (bytes: Uint8Array, taken: () => void) => void; readonly end: () => void };
  /** Stops listening, also to one that never entered. */
  readonly letGo: () => void;
};

/** Throws when the group cannot be made, or for some errors of spawn, a command line that is too long among them. */
export function startSandbox(prepare: readonly string[], parent: string, name: string, limits: CallLimits): Sandbox {
  const cgroup = makeCallCgroup(parent, name, limits);
  const pipes = [addon().pipeFds(), addon().pipeFds(), addon().pipeFds(), addon().pipeFds()] as const;
  const [input, output, errors, rest] = pipes;
  let child: ChildProcess;
  try {
    child = spawn(prepare[0]!, ['--cgroup', cgroup.path, ...prepare.slice(1)], {
      cwd: '/',
      env: {},
      stdio: [input.read, output.write, errors.write, 'pipe', rest.read],
    });
  } catch (fault) {
    for (const fd of [input.write, output.read, errors.read, rest.write]) closeSync(fd);
    void cgroup.remove();
    throw fault;
  } finally {
    for (const fd of [input.read, output.write, errors.write, rest.read]) closeSync(fd);
  }
  const exited = new Promise<string | null>((resolve) => {
    child.on('exit', () => resolve(null));
    child.on('error', (fault) => resolve(fault.message));
  });
  const stdin = writing(input.write);
  const words = writing(rest.write);
  const reading = [...[output.read, errors.read].map((fd) => new Socket({ fd, readable: true, writable: false })), child.stdio[3] as Socket] as const;
  const [stdout, stderr, report] = reading.map((socket, n) => capOutput(socket, n === 2 ? REPORT_MAX : limits.outputMax));
  return {
    cgroup,
    stdout: stdout!,
    stderr: stderr!,
    report: report!,
    exited,
    enter: (call, bytes) => {
      words.end(call, () => wipe(call));
      // Also where nobody took it.
      words.once('close', () => wipe(call));
      if (bytes === null) stdin.end();
      else if (bytes !== 'open') stdin.end(bytes);
    },
    input: { write: (bytes, taken) => void stdin.write(bytes, () => taken()), end: () => void stdin.end() },
    letGo: () => [stdin, words, ...reading].forEach((socket) => socket.destroy()),
  };
}

/** A command need not read its input: that it closed the pipe is its own business. */
function writing(fd: number): Socket {
  const pipe = new Socket({ fd, readable: false, writable: true });
  pipe.on('error', () => pipe.destroy());
  return pipe;
}

/** As native/launch/words.h reads them. Throws for a zero byte within a word, which would make two of it. */
export function framed(words: readonly string[], secrets: readonly Buffer[] = []): Buffer {
  if (words.some((word) => word.includes('\0')) || secrets.some((value) => value.includes(0))) throw new Error('an argument of a program cannot hold a zero byte');
  const option = Buffer.from('--secret\0');
  const begin = Buffer.from(`${words.length + 2 * secrets.length}\0`);
  const rest = Buffer.from([...words, ''].join('\0'));
  const parts = [begin, ...secrets.flatMap((value) => [option, value, Buffer.of(0)]), rest];
  const frame = wipeable(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(frame, at);
  return frame;
}
