// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { connect } from 'node:net';

export type TestLine = { readonly ask: (value: object) => Promise<unknown>; readonly close: () => void };

/** A connection over which one line is said and one is heard. Connected when this returns, as whoever runs it then is. */
export function connectLine(path: string): Promise<TestLine> {
  const socket = connect(path);
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ask = async (value: object): Promise<unknown> => {
    socket.write(`${JSON.stringify(value)}\n`);
    while (!text.includes('\n')) {
      if (socket.destroyed) throw new Error('closed');
      await Promise.race([once(socket, 'data'), once(socket, 'close')]).catch(() => undefined);
    }
    return JSON.parse(text.slice(0, text.indexOf('\n')));
  };
  return new Promise((resolve) => {
    const line = { ask, close: () => void socket.destroy() };
    socket.once('connect', () => resolve(line));
    socket.once('close', () => resolve(line));
  });
}
