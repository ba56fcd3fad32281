// SPDX-License-Identifier: Apache-2.0
import { pathsUnder } from '../effects/paths.ts';
import type { Io } from './io.ts';
import { screenOn } from './screen.ts';

/** This process's own streams. A reader that goes away (`holdfast log | head`) ends what runs, quietly. */
export function processIo(root: string, stop: AbortController): Io {
  process.stdout.on('error', () => stop.abort());
  process.stderr.on('error', () => undefined);
  const coloured = (stream: NodeJS.WriteStream): boolean =>
    stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
  return {
    screen: screenOn(
      { out: (text) => void process.stdout.write(text), err: (text) => void process.stderr.write(text) },
      { out: coloured(process.stdout), err: coloured(process.stderr) },
    ),
    stdin: process.stdin,
    paths: pathsUnder(root),
    root,
    uid: process.getuid?.() ?? -1,
    login: process.env['USER'] ?? '',
    stop: stop.signal,
  };
}
