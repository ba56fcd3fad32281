// SPDX-License-Identifier: Apache-2.0
import type { Packed, Unpacked } from '../tools/project-calls.ts';
import { ask, type Answered } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { undoCommand } from './restore-target.ts';
import { usage } from './run-command.ts';
import { styled } from './screen.ts';

const PART = 512 * 1024;
const TELL_MS = 2_000;
/** Several calls one after the other, of which git may take as long as the agent's type lets a call take. */
const WAIT_MS = 15 * 60_000;

/** Streamed: no more of the archive than a part is ever held here. */
export async function projectPut(io: Io, given: Given): Promise<ExitCode> {
  const [agent = '', name] = given.operands;
  if (io.raw.inputIsTerminal) return usage(io, 'the project comes on standard input: tar -C FOLDER -c . | ssh … holdfast project put AGENT, or git bundle create - --all in its place');
  const put = await sendArchive(io, agent);
  if (!put.ok) return put.exit;
  const done = await ask<Unpacked & { readonly sha256: string; readonly point: string }>(io, { op: 'put-end', transfer: put.value, path: name ?? '.' }, null, WAIT_MS);
  if (!done.ok) return done.exit;
  const { files, directories, links, leftPaths, left, point, bundle } = done.value;
  tellLeft(io, leftPaths, left);
  const what = bundle ? 'the repository of that bundle, checked out, is' : `${files} files, ${directories} folders and ${links} links are`;
  io.screen.line(`${what} in the workspace of ${agent}; to take that back: ${undoCommand(point, agent)}`);
  return EXIT.ok;
}

/** Standard input, as a transfer that waits for what it is for. */
export async function sendArchive(io: Io, agent: string): Promise<Answered<string>> {
  const begun = await ask<string>(io, { op: 'put-begin', agent });
  if (!begun.ok) return begun;
  const transfer = begun.value;
  const tell = progress(io, 'put in');
  let offset = 0;
  for await (const bytes of inParts(io.stdin)) {
    const sent = await ask(io, { op: 'put-data', transfer, offset, data: bytes.toString('base64') });
    if (!sent.ok) return sent;
    offset += bytes.length;
    tell(offset);
  }
  if (offset === 0) {
    await ask(io, { op: 'transfer-end', transfer });
    return { ok: false, exit: usage(io, 'nothing came on standard input') };
  }
  return begun;
}

export async function projectGet(io: Io, given: Given): Promise<ExitCode> {
  const [agent = '', name] = given.operands;
  const bundle = given.options.has('bundle');
  if (io.raw.outputIsTerminal) return usage(io, `the project goes to standard output as a ${bundle ? 'bundle of git' : 'tar archive'}: holdfast project get AGENT >FILE`);
  const made = await ask<{ readonly transfer: string; readonly size: number; readonly packed: Packed | null }>(io, { op: 'get', agent, path: name ?? '.', bundle }, null, WAIT_MS);
  if (!made.ok) return made.exit;
  const { transfer, size, packed } = made.value;
  const tell = progress(io, 'got');
  for (let offset = 0; offset < size && !io.stop.aborted;) {
    const part = await ask<string>(io, { op: 'get-data', transfer, offset });
    if (!part.ok) return part.exit;
    const bytes = Buffer.from(part.value, 'base64');
    if (bytes.length === 0) break;
    await io.raw.write(bytes);
    offset += bytes.length;
    tell(offset);
  }
  await ask(io, { op: 'transfer-end', transfer });
  if (packed !== null) tellLeft(io, packed.leftPaths, packed.left);
  io.screen.complain(`${packed === null ? 'all refs of the repository' : `${packed.entries} paths`}, ${size} bytes`);
  return io.stop.aborted ? EXIT.unavailable : EXIT.ok;
}

async function* inParts(input: NodeJS.ReadableStream): AsyncGenerator<Buffer> {
  let kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    kept.push(Buffer.from(chunk as Buffer | string));
    size += kept.at(-1)!.length;
    while (size >= PART) {
      const all = Buffer.concat(kept);
      yield all.subarray(0, PART);
      kept = [all.subarray(PART)];
      size -= PART;
    }
  }
  if (size > 0) yield Buffer.concat(kept);
}

function progress(io: Io, what: string): (bytes: number) => void {
  let next = Date.now() + TELL_MS;
  return (bytes) => {
    if (Date.now() < next) return;
    next = Date.now() + TELL_MS;
    io.screen.complain(styled(`${what}: ${Math.round(bytes / 1024 / 1024)} MiB`, 'dim'));
  };
}

export function tellLeft(io: Io, paths: Unpacked['leftPaths'], left: number): void {
  for (const { path, why } of paths) io.screen.complain(styled('left out: ', 'yellow'), `${path} (${why})`);
  if (left > paths.length) io.screen.complain(`and ${left - paths.length} more`);
}
