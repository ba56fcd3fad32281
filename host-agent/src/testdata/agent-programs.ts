// SPDX-License-Identifier: Apache-2.0
// In the network namespace of an agent: a loopback and nothing else, with the relay's port on it. Started by the test; runs until it is
// killed. The arguments are the port and the socket of holdfast-egress to which bytes go.
import { connect, createServer } from 'node:net';

const [port, path] = process.argv.slice(2) as [string, string];

createServer((program) => {
  const egress = connect(path);
  for (const socket of [program, egress]) socket.on('error', () => socket.destroy());
  program.on('close', () => egress.destroy());
  egress.on('close', () => program.destroy());
  program.pipe(egress).pipe(program);
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('relay stands\n'));
