// SPDX-License-Identifier: Apache-2.0
import type { Unpacked } from '../tools/project-calls.ts';
import { ask } from './ask.ts';
import type { Given } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { sendArchive, tellLeft } from './project.ts';
import { usage } from './run-command.ts';

/** `sha256:HEX` is how everybody else writes it. */
function digestOf(text: string): string {
  return text.replace(/^sha256:/, 'sha256-');
}

export async function containerImport(io: Io, given: Given): Promise<ExitCode> {
  const [agent = '', said = ''] = given.operands;
  if (io.raw.inputIsTerminal) return usage(io, 'the image comes on standard input: podman build --output type=tar,dest=image.tar FOLDER; ssh … holdfast container import AGENT DIGEST <image.tar');
  const sent = await sendArchive(io, agent);
  if (!sent.ok) return sent.exit;
  const done = await ask<Unpacked>(io, { op: 'import-end', transfer: sent.value, digest: digestOf(said) });
  if (!done.ok) return done.exit;
  const { files, leftPaths, left } = done.value;
  tellLeft(io, leftPaths, left);
  io.screen.line(`image ${digestOf(said)} is there for ${agent}, with ${files} files; to let it run: holdfast grant ${agent} container:run:${digestOf(said)} --for 1h --reason TEXT`);
  return EXIT.ok;
}

export async function containerRemove(io: Io, given: Given): Promise<ExitCode> {
  const [agent = '', said = ''] = given.operands;
  const done = await ask(io, { op: 'image-remove', agent, digest: digestOf(said) });
  if (!done.ok) return done.exit;
  io.screen.line(`image ${digestOf(said)} of ${agent} is gone`);
  return EXIT.ok;
}
