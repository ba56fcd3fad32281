// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';
import type { OpenWay } from './open-ways.ts';

export type SpliceEnd = 'ok' | 'idle' | 'failed';

/**
 * Joins two connections until one is done, counting what passes. Who reads slowly holds up who writes, and no memory of ours. Both are
 * closed at the end, whatever it was. `idleMs`: nothing in either direction for so long, and somebody has forgotten it.
 */
export function splice(program: Duplex, host: Duplex, way: Pick<OpenWay, 'up' | 'down' | 'onStop'>, idleMs: number, ended: (how: SpliceEnd) => void): void {
  let done = false;
  const idle = setTimeout(() => finish('idle'), idleMs);

  function finish(how: SpliceEnd): void {
    if (done) return;
    done = true;
    clearTimeout(idle);
    program.destroy();
    host.destroy();
    ended(how);
  }

  function pass(from: Duplex, to: Duplex, count: (bytes: number) => boolean): void {
    from.on('data', (chunk: Buffer) => {
      idle.refresh();
      if (!count(chunk.length)) return;
      if (to.writable && !to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.once('end', () => to.end());
    from.once('error', () => finish('failed'));
    from.once('close', () => finish(from.readableEnded ? 'ok' : 'failed'));
  }

  way.onStop(() => finish('failed'));
  if (done) return;
  pass(program, host, way.up);
  pass(host, program, way.down);
  // Who waited for a first word has paused them.
  program.resume();
  host.resume();
}
