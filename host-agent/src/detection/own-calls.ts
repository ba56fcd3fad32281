// SPDX-License-Identifier: Apache-2.0

/** What a program did by itself: run a program, or change files. */
export type FileOp = 'write' | 'create' | 'truncate' | 'rename' | 'delete' | 'mkdir' | 'link' | 'mknod' | 'bind' | 'chmod' | 'chown' | 'attribute';
export type OwnCall = {
  readonly name: string;
  readonly op: 'exec' | FileOp;
  /** Which arguments are directories that a path may be relative to. */
  readonly folders?: readonly number[];
  /** Which argument holds the flags of open(2): without one of OPEN_CHANGES nothing is changed. */
  readonly flags?: number;
};

/** AUDIT_ARCH_X86_64. The agents' units allow no other calling convention (SystemCallArchitectures=native). */
export const ARCH = 0xc000003e;
/** O_WRONLY, O_RDWR, O_CREAT, O_TRUNC: a file can be made or emptied by an open for reading. */
export const OPEN_CHANGES = 0o1 | 0o2 | 0o100 | 0o1000;

/**
 * The system calls by which a path, its content or its rights change, and those that run a program. Not here: writing to what is open
 * (its opening is), and time stamps.
 */
export const OWN_CALLS: ReadonlyMap<number, OwnCall> = new Map<number, OwnCall>([
  [59, { name: 'execve', op: 'exec' }],
  [322, { name: 'execveat', op: 'exec', folders: [0] }],
  [2, { name: 'open', op: 'write', flags: 1 }],
  [257, { name: 'openat', op: 'write', folders: [0], flags: 2 }],
  [437, { name: 'openat2', op: 'write', folders: [0] }],
  [85, { name: 'creat', op: 'write' }],
  [76, { name: 'truncate', op: 'truncate' }],
  [82, { name: 'rename', op: 'rename' }],
  [264, { name: 'renameat', op: 'rename', folders: [0, 2] }],
  [316, { name: 'renameat2', op: 'rename', folders: [0, 2] }],
  [87, { name: 'unlink', op: 'delete' }],
  [263, { name: 'unlinkat', op: 'delete', folders: [0] }],
  [84, { name: 'rmdir', op: 'delete' }],
  [83, { name: 'mkdir', op: 'mkdir' }],
  [258, { name: 'mkdirat', op: 'mkdir', folders: [0] }],
  [86, { name: 'link', op: 'link' }],
  [265, { name: 'linkat', op: 'link', folders: [0, 2] }],
  [88, { name: 'symlink', op: 'link' }],
  [266, { name: 'symlinkat', op: 'link', folders: [1] }],
  [133, { name: 'mknod', op: 'mknod' }],
  [259, { name: 'mknodat', op: 'mknod', folders: [0] }],
  [49, { name: 'bind', op: 'bind' }],
  [90, { name: 'chmod', op: 'chmod' }],
  [91, { name: 'fchmod', op: 'chmod' }],
  [268, { name: 'fchmodat', op: 'chmod', folders: [0] }],
  [452, { name: 'fchmodat2', op: 'chmod', folders: [0] }],
  [92, { name: 'chown', op: 'chown' }],
  [93, { name: 'fchown', op: 'chown' }],
  [94, { name: 'lchown', op: 'chown' }],
  [260, { name: 'fchownat', op: 'chown', folders: [0] }],
  [188, { name: 'setxattr', op: 'attribute' }],
  [189, { name: 'lsetxattr', op: 'attribute' }],
  [190, { name: 'fsetxattr', op: 'attribute' }],
  [197, { name: 'removexattr', op: 'attribute' }],
  [198, { name: 'lremovexattr', op: 'attribute' }],
  [199, { name: 'fremovexattr', op: 'attribute' }],
  [463, { name: 'setxattrat', op: 'attribute', folders: [0] }],
  [466, { name: 'removexattrat', op: 'attribute', folders: [0] }],
]);

/** AT_FDCWD as the kernel prints an argument: of 32 or of 64 bits. */
export function isCurrentFolder(argument: string | undefined): boolean {
  return argument === 'ffffff9c' || argument === 'ffffffffffffff9c';
}

// asm-generic/errno-base.h and errno.h: those a program meets here. Others stand in the ledger by number.
const ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM', 2: 'ENOENT', 4: 'EINTR', 5: 'EIO', 7: 'E2BIG', 8: 'ENOEXEC', 9: 'EBADF', 11: 'EAGAIN', 12: 'ENOMEM', 13: 'EACCES', 14: 'EFAULT',
  16: 'EBUSY', 17: 'EEXIST', 18: 'EXDEV', 20: 'ENOTDIR', 21: 'EISDIR', 22: 'EINVAL', 23: 'ENFILE', 24: 'EMFILE', 26: 'ETXTBSY', 27: 'EFBIG',
  28: 'ENOSPC', 30: 'EROFS', 31: 'EMLINK', 36: 'ENAMETOOLONG', 38: 'ENOSYS', 39: 'ENOTEMPTY', 40: 'ELOOP', 95: 'EOPNOTSUPP', 98: 'EADDRINUSE',
  122: 'EDQUOT',
};

/** `ok`, or what the kernel answered instead. */
export function resultOf(success: string | undefined, exit: string | undefined): string {
  if (success === 'yes') return 'ok';
  const number = -Number(exit ?? Number.NaN);
  return ERRNO[number] ?? (Number.isSafeInteger(number) ? `errno ${number}` : 'unknown');
}
