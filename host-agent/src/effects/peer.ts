// SPDX-License-Identifier: Apache-2.0
import { closeSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { addon } from './addon.ts';

/**
 * What the kernel says of the process that connected. `label` is its AppArmor label as attr/current prints it, '' when that cannot be read. `uid` and `gid` are those of connect() and always hold.
 * `pid` is 0 and `cgroup` is '' when the process has gone or lies outside our view: such a peer is in no control group at all.
 */
export type PeerFacts = { readonly pid: number; readonly uid: number; readonly gid: number; readonly cgroup: string; readonly label: string };

/** Of a connected Unix socket. A peer that is already gone is an ordinary event and no fault: any agent can make one. */
export function peerOf(socket: Socket): PeerFacts {
  const fd = descriptorOf(socket);
  const { pid, uid, gid } = addon().peerCred(fd);
  const gone: PeerFacts = { pid: 0, uid, gid, cgroup: '', label: '' };
  if (pid <= 0) return gone;
  let pidfd: number;
  try {
    pidfd = addon().peerPidfd(fd);
  } catch {
    return gone;
  }
  try {
    const cgroup = unifiedGroup(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
    const label = labelOf(pid);
    // Asked after the reading: while this process lives, nobody else can have its number (A17).
    if (cgroup === null || addon().pidfdEnded(pidfd)) return gone;
    return { pid, uid, gid, cgroup, label };
  } catch {
    return gone;
  } finally {
    closeSync(pidfd);
  }
}

/** EINVAL: no security module answers in this file (proc_pid_attr_read), so nothing confines. Any other error says nothing. */
function labelOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/attr/current`, 'latin1').replace(/[\0\n]+$/, '');
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code === 'EINVAL' ? 'unconfined' : '';
  }
}

/** The peer has closed both directions, or is gone: it will read no answer any more. Half-closed it still would. */
export function hasHungUp(socket: Socket): boolean {
  return socket.destroyed || addon().hungUp(descriptorOf(socket));
}

/** The cgroup v2 line of /proc/PID/cgroup (`0::PATH`), which exists once or not at all. */
export function unifiedGroup(text: string): string | null {
  for (const line of text.split('\n')) {
    if (line.startsWith('0::/')) return line.slice('0::'.length);
  }
  return null;
}

// Node has no public way to a socket's descriptor; this one is used by its own child_process.
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle;
  if (typeof handle?.fd !== 'number' || handle.fd < 0) throw new Error('cannot ask about the peer of a socket that is closed');
  return handle.fd;
}
