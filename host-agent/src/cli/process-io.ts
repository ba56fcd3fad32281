// SPDX-License-Identifier: Apache-2.0
import { pathsUnder } from '../effects/paths.ts';
import type { Io } from './io.ts';
import { USUAL_WIDTH } from './fold.ts';
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
      // Asked each time: a window may change its size.
      {
        get out() {
          return widthOf(process.stdout);
        },
        get err() {
          return widthOf(process.stderr);
        },
      },
    ),
    stdin: process.stdin,
    raw: {
      write: (bytes) => new Promise((resolve) => void process.stdout.write(bytes, () => resolve())),
      inputIsTerminal: process.stdin.isTTY === true,
      outputIsTerminal: process.stdout.isTTY === true,
    },
    paths: pathsUnder(root),
    root,
    uid: process.getuid?.() ?? -1,
    login: process.env['USER'] ?? '',
    stop: stop.signal,
  };
}

/** A serial console does not know its width, and says 0. */
function widthOf(stream: NodeJS.WriteStream): number | null {
  if (stream.isTTY !== true) return null;
  return stream.columns > 0 ? stream.columns : USUAL_WIDTH;
}
