// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { isSea } from 'node:sea';

/** The native addon (host-agent/native/hostsys.c). Every function throws an Error with `code` when the kernel refuses. */
export type Addon = {
  /** SO_PEERCRED: who connected, as of connect(). */
  readonly peerCred: (fd: number) => { readonly pid: number; readonly uid: number; readonly gid: number };
  /** SO_PEERPIDFD. The caller closes it. */
  readonly peerPidfd: (fd: number) => number;
  readonly pidfdEnded: (pidfd: number) => boolean;
  /** Nobody is left to read what is written here. */
  readonly hungUp: (fd: number) => boolean;
  readonly bootMillis: () => number;
  /** Both ends close-on-exec; the caller closes them. */
  readonly pipeFds: () => { readonly read: number; readonly write: number };
  /** sd_notify: one datagram to systemd's socket. */
  readonly notify: (socketPath: string, text: string) => void;
  /** One question to the kernel's audit configuration; its answers as netlink frames. */
  readonly auditAsk: (type: number, data: Buffer) => Buffer;
  /** Fills the buffer with the netlink frames that wait; answers how many bytes. ENOBUFS: the kernel dropped some. */
  readonly auditRead: (fd: number, into: Buffer) => number;
  /** Into the process keyring of the calling thread: the main thread only. Answers the key's serial number. */
  readonly keyAdd: (description: string, bytes: Buffer) => number;
  /** The caller wipes what it is given. */
  readonly keyRead: (serial: number) => Buffer;
  readonly keyDrop: (serial: number) => void;
  /** PR_SET_DUMPABLE 0. */
  readonly forbidDumps: () => void;
};

let loaded: Addon | null = null;

export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

// The file lies with our own binary under verity (bin/holdfast, lib/hostsys.node), or where build.sh puts it in a checkout.
// No setting and no environment variable names it: whoever chose the file would run code in every role.
function load(): Addon {
  const file = isSea()
    ? resolve(dirname(process.execPath), '../lib/hostsys.node')
    : resolve(import.meta.dirname, '../../../build/native/hostsys.node');
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, file, constants.dlopen.RTLD_NOW);
  return module.exports as Addon;
}
