// SPDX-License-Identifier: Apache-2.0

/** A leading `--root DIR`, by which native tests start a role under a folder of their own. It opens nothing: rights are the kernel's. */
export function takeRoot(args: readonly string[]): { readonly root: string; readonly rest: readonly string[] } {
  if (args[0] !== '--root') return { root: '', rest: args };
  const root = args[1];
  if (root === undefined || !root.startsWith('/')) throw new Error('--root needs an absolute path');
  return { root, rest: args.slice(2) };
}

/** For a role that takes nothing else: a word too many means that somebody meant something else. */
export function onlyRoot(role: string, args: readonly string[]): string {
  const { root, rest } = takeRoot(args);
  if (rest.length > 0) throw new Error(`${role} takes no arguments besides --root DIR`);
  return root;
}
