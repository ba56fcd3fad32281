// SPDX-License-Identifier: Apache-2.0

/** A leading `--root DIR`, by which native tests start a role under a folder of their own. It opens nothing: rights are the kernel's. */
export function takeRoot(args: readonly string[]): { readonly root: string; readonly rest: readonly string[] } {
  if (args[0] !== '--root') return { root: '', rest: args };
  const root = args[1];
  if (root === undefined || !root.startsWith('/')) throw new Error('--root needs an absolute path');
  return { root, rest: args.slice(2) };
}
