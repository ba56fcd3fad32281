// SPDX-License-Identifier: Apache-2.0
import { addon } from '../effects/addon.ts';
import { MOST_SECRET_BYTES } from '../secret/operator-wire.ts';
import { wipe, wipeable } from '../secret/values.ts';
import { accept, refuse, type Result } from '../identity/result.ts';
import type { Io } from './io.ts';
import { styled } from './screen.ts';

const ENTER = [0x0d, 0x0a];
const BACK = [0x7f, 0x08];
const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const FROM_A_TERMINAL = 'nothing came on standard input; give it there (… <FILE), or run this with a terminal of its own: ssh -t ops@box holdfast secret …';

/** Typed without being shown, or what stands on standard input, without its last line break. The caller wipes it. */
export async function readSecret(io: Io, what: string): Promise<Result<Buffer>> {
  // What is typed is in this process's memory for a moment.
  addon().forbidDumps();
  const terminal = io.raw.inputIsTerminal && 'setRawMode' in io.stdin;
  const prompt = (): void => io.screen.complain(styled(`${what} (not shown), then Enter:`, 'bold'));
  const read = terminal ? await typed(io.stdin as NodeJS.ReadStream, io.stop, prompt) : await piped(io.stdin);
  if (!read.ok || read.value.length > 0) return read;
  return refuse(terminal ? 'nothing was typed' : FROM_A_TERMINAL);
}

/** Twice where somebody types it, for nobody sees what they typed. */
export async function readNewPassphrase(io: Io): Promise<Result<Buffer>> {
  const first = await readSecret(io, 'A passphrase for the secrets of this machine');
  if (!first.ok || !io.raw.inputIsTerminal) return first;
  const second = await readSecret(io, 'The same again');
  const same = second.ok && first.value.equals(second.value);
  if (second.ok) wipe(second.value);
  if (same) return first;
  wipe(first.value);
  return second.ok ? refuse('the two are not the same; nothing was done') : second;
}

async function typed(keys: NodeJS.ReadStream, stop: AbortSignal, prompt: () => void): Promise<Result<Buffer>> {
  const kept = wipeable(MOST_SECRET_BYTES);
  let length = 0;
  // Before anybody is asked: what is typed at once would still be shown.
  keys.setRawMode(true);
  prompt();
  try {
    return await new Promise((resolve) => {
      const end = (result: Result<Buffer>): void => {
        keys.off('data', onData);
        stop.removeEventListener('abort', given);
        if (!result.ok) wipe(kept);
        resolve(result);
      };
      const given = (): void => end(refuse('given up; nothing was done'));
      const onData = (chunk: Buffer): void => {
        for (const byte of chunk) {
          if (ENTER.includes(byte)) return finish(chunk, accept(kept.subarray(0, length)));
          if (byte === CTRL_C || byte === CTRL_D) return finish(chunk, refuse('given up; nothing was done'));
          if (byte === CTRL_U) length = 0;
          else if (BACK.includes(byte)) length = Math.max(0, length - 1);
          // An arrow, or a mark of pasted text: what followed it would become part of the secret unseen.
          else if (byte < 0x20) return finish(chunk, refuse('a key was pressed that writes no character; nothing was done'));
          else if (length === kept.length) return finish(chunk, refuse(`it is longer than ${MOST_SECRET_BYTES} bytes`));
          else kept[length++] = byte;
        }
        chunk.fill(0);
      };
      const finish = (chunk: Buffer, result: Result<Buffer>): void => {
        chunk.fill(0);
        end(result);
      };
      keys.on('data', onData);
      stop.addEventListener('abort', given, { once: true });
      keys.resume();
    });
  } finally {
    keys.setRawMode(false);
    keys.pause();
  }
}

async function piped(input: NodeJS.ReadableStream): Promise<Result<Buffer>> {
  const kept = wipeable(MOST_SECRET_BYTES + 2);
  let length = 0;
  for await (const chunk of input) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
    const fits = length + bytes.length <= kept.length;
    if (fits) length += bytes.copy(kept, length);
    bytes.fill(0);
    if (fits) continue;
    wipe(kept);
    return refuse(`it is longer than ${MOST_SECRET_BYTES} bytes`);
  }
  if (kept[length - 1] === 0x0a) length -= kept[length - 2] === 0x0d ? 2 : 1;
  return accept(kept.subarray(0, Math.max(0, length)));
}
