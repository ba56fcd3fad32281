// SPDX-License-Identifier: Apache-2.0
import { lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';

/** sd_listen_fds(3): the first descriptor that systemd passes. */
const FIRST_DESCRIPTOR = 3;

let passed: Map<string, number> | null = null;

/**
 * A server on the socket that systemd passed under `name`, else on a new socket at `path`, reachable for the own user only.
 * Descriptors of systemd are not inherited by programs this process starts: Node marks all it finds at its start close-on-exec.
 */
export async function listenOn(name: string, path: string): Promise<Server> {
  passed ??= takePassedDescriptors();
  const server = createServer({ allowHalfOpen: false });
  const descriptor = passed.get(name);
  if (descriptor !== undefined) {
    passed.delete(name);
    await listening(server, { fd: descriptor });
    return server;
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await removeDeadSocket(path);
  // The file is made before listen() returns, so nothing else is made under this mask.
  const before = process.umask(0o177);
  const done = listening(server, { path });
  process.umask(before);
  await done;
  return server;
}

/** A descriptor that is no listening socket, passed by systemd under `name`. */
export function passedDescriptor(name: string): number {
  passed ??= takePassedDescriptors();
  const descriptor = passed.get(name);
  if (descriptor === undefined) throw new Error(`systemd passed no descriptor named ${name}; start this role by its socket unit`);
  passed.delete(name);
  return descriptor;
}

function takePassedDescriptors(): Map<string, number> {
  const found = new Map<string, number>();
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env;
  // Programs started from here must not take the descriptors for theirs.
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete process.env[name];
  if (Number(LISTEN_PID) !== process.pid) return found;
  const names = (LISTEN_FDNAMES ?? '').split(':');
  for (let i = 0; i < Number(LISTEN_FDS ?? 0); i += 1) {
    const name = names[i];
    if (name === undefined || name === '') throw new Error(`cannot use descriptor ${FIRST_DESCRIPTOR + i}: it has no FileDescriptorName=`);
    if (found.has(name)) throw new Error(`cannot use two descriptors that are both named ${name}`);
    found.set(name, FIRST_DESCRIPTOR + i);
  }
  return found;
}

function listening(server: Server, where: { fd: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A socket file that nobody answers is left from a process that was killed. One that answers is somebody's. */
async function removeDeadSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new Error(`cannot listen at ${path}: something that is not a socket lies there`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (alive) throw new Error(`cannot listen at ${path}: another process serves it`);
  unlinkSync(path);
}
