// SPDX-License-Identifier: Apache-2.0
import { basename } from 'node:path';

type Role = { readonly main: (args: readonly string[]) => Promise<void> };

// Each role loads only what it needs: the ledger never has an MCP parser in memory, the command line no schema library. In the product
// the command line and the shell are in the binary, every other role is a script beside it (build.ts).
const ROLES: Readonly<Record<string, () => Promise<Role>>> = {
  holdfast: () => import('./cli.ts'),
  holdfastd: () => import('./daemon.ts'),
  'holdfast-ledger': () => import('./ledger.ts'),
  'holdfast-runner': () => import('./runner.ts'),
  'holdfast-egress': () => import('./egress.ts'),
  'holdfast-declare': () => import('./declare.ts'),
  'holdfast-watch': () => import('./watch.ts'),
  'holdfast-secretd': () => import('./secretd.ts'),
  'holdfast-seed': () => import('./seed.ts'),
  'holdfast-shell': () => import('./shell.ts'),
};

/** A login shell is called with a dash before its name. */
const called = basename(process.argv0).replace(/^-/, '');
const words = process.argv.slice(2);
const byName = Object.hasOwn(ROLES, called);
const name = byName ? called : (words[0] ?? '');
const load = Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;

if (load === undefined) {
  process.stderr.write(`holdfast: unknown role ${JSON.stringify(name)}; the roles are ${Object.keys(ROLES).join(', ')}\n`);
  process.exitCode = 64;
} else {
  load()
    .then((role) => role.main(byName ? words : words.slice(1)))
    .catch((fault: unknown) => {
      process.stderr.write(`${name}: ${fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)}\n`);
      process.exit(70);
    });
}
