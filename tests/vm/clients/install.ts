// SPDX-License-Identifier: Apache-2.0
// Brings the pinned third-party clients into the cache, once for each lockfile; the root's own `npm ci` stays small.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { step } from '../../../image/host/progress.ts';
import { cache, finished, withLock } from '../../../image/host/workplace.ts';

const FILES = ['package.json', 'package-lock.json', '.npmrc'];

/** The folder with their node_modules. Nothing is fetched but by npm, from the registry that this machine is set to. */
export async function installClients(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of FILES) hash.update(readFileSync(join(import.meta.dirname, file)));
  const clients = join(cache, 'clients');
  const dir = join(clients, hash.digest('hex').slice(0, 16));
  if (existsSync(dir)) return dir;
  return withLock('clients', async () => {
    if (existsSync(dir)) return dir;
    rmSync(clients, { recursive: true, force: true });
    const fresh = `${dir}.partial`;
    mkdirSync(fresh, { recursive: true });
    for (const file of FILES) copyFileSync(join(import.meta.dirname, file), join(fresh, file));
    await step('installing the third-party clients (about 500 MB, once)', () =>
      finished(spawn('npm', ['ci', '--ignore-scripts', '--no-progress', '--loglevel=error'], { cwd: fresh, stdio: ['ignore', 2, 2] }), 'npm ci'),
    );
    renameSync(fresh, dir);
    return dir;
  });
}
