// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from 'node:net';

// A program that asks for tunnels without end, in a process of its own: what it costs itself is not what it costs others.
// flood-client.ts SOCKET AUTHORITY COUNT AT-ONCE; says how it was answered, and holds what it got until it is ended.

export type Flooded = { readonly held: number; readonly told: number };

const [path, authority, count, atOnce] = process.argv.slice(2) as [string, string, string, string];
const held: Socket[] = [];
let told = 0;

function ask(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    socket.once('data', (answer: Buffer) => {
      const text = answer.toString('latin1');
      if (text.startsWith('HTTP/1.1 200')) held.push(socket);
      else told += Number(text.startsWith('HTTP/1.1 429'));
      socket.resume();
      resolve();
    });
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  });
}

for (let asked = 0; asked < Number(count); asked += Number(atOnce)) await Promise.all(Array.from({ length: Number(atOnce) }, ask));
process.stdout.write(`${JSON.stringify({ held: held.length, told } satisfies Flooded)}\n`);
setInterval(() => {}, 60_000);
