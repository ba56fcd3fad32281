// SPDX-License-Identifier: Apache-2.0

/** Where an agent's workspace lies, for agent, runner and call alike. */
export const WORKSPACE = '/workspace';

/** Where an agent's restore points lie, in a call of Holdfast's own on that agent's files and in no other (R108). */
export const RESTORE = '/restore';
/** Where what an operator puts in or takes out passes through, likewise (R109). */
export const TRANSFER = '/transfer';

/** Where an agent's container images are made and deleted, in the call that does it and in no other. */
export const IMAGES = '/images';

// Never visible in a call as a host path, whatever is held. /proc and /dev are the sandbox's own; the rest is ours or the
// kernel's. AppArmor and file modes say the same; this is what keeps a plan from asking.
const RESERVED = ['/proc', '/sys', '/dev', '/boot', RESTORE, TRANSFER, IMAGES, '/etc/shadow', '/etc/shadow-', '/etc/gshadow', '/etc/gshadow-'];
// Every directory of ours: /run/holdfast, /run/holdfast-ledger, /var/lib/holdfast-workspaces (other agents' too) …
const RESERVED_STARTS = ['/run/holdfast', '/var/run/holdfast', '/var/lib/holdfast'];
// A binding of one of these would show what lies reserved below it.
const ABOVE_RESERVED = ['/', '/run', '/var', '/var/run', '/var/lib'];

/** Absolute and in its normal form: no empty, `.` or `..` segment, no NUL. */
export function isPlainPath(path: string): boolean {
  if (path === '/') return true;
  if (!path.startsWith('/') || path.includes('\0') || path.length > 4095) return false;
  return path
    .slice(1)
    .split('/')
    .every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}

/** Why a path cannot be made visible in a call, or null when it can. */
export function whyNotBindable(path: string): string | null {
  if (!isPlainPath(path)) return `${path} is not an absolute path in its normal form`;
  if (RESERVED.some((r) => isBeneath(path, r)) || RESERVED_STARTS.some((r) => path.startsWith(r))) {
    return `${path} is never visible in a call`;
  }
  if (ABOVE_RESERVED.includes(path)) return `${path} holds paths that are never visible in a call; name something below it`;
  return null;
}

/** True for the directory itself, too. */
export function isBeneath(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir === '/' ? '/' : `${dir}/`);
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
