// SPDX-License-Identifier: Apache-2.0
// Builds the Debian that boots beside our image. Kept in the cache under the hash of what is in this folder and of the key.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { plainModes, writePackageSources } from '../../image/host/build-image.ts';
import { step } from '../../image/host/progress.ts';
import { cache, hashOfInputs, repository, runInTools, withLock } from '../../image/host/workplace.ts';

const here = join(repository, 'bench/stock');

/** `rootKey` may log in as root. */
export async function buildStock(rootKey: string): Promise<string> {
  const key = createHash('sha256').update(`${hashOfInputs(['bench/stock'], /\.ts$/)} ${rootKey}`).digest('hex').slice(0, 24);
  const all = join(cache, 'bench-stock');
  const dir = join(all, key);
  const image = join(dir, 'stock.raw');
  if (existsSync(image)) return image;
  return withLock('image', async () => {
    rmSync(all, { recursive: true, force: true });
    const work = join(cache, 'mkosi');
    const [output, sources, keys] = ['output', 'sources', 'keys'].map((name) => join(all, name)) as [string, string, string];
    for (const d of [output, join(work, 'packages'), join(work, 'workspace')]) mkdirSync(d, { recursive: true });
    writePackageSources(sources);
    plainModes(here);
    mkdirSync(join(keys, 'root/.ssh'), { recursive: true, mode: 0o700 });
    writeFileSync(join(keys, 'root/.ssh/authorized_keys'), `${rootKey}\n`, { mode: 0o600 });
    const log = openSync(join(cache, 'bench-stock.log'), 'w');
    await step('building a stock Debian to boot beside it (2 to 4 minutes the first time)', () =>
      runInTools(
        [repository, cache, work, all],
        [
          'mkosi', '--directory', here, '--output-directory', output, '--package-cache-directory', join(work, 'packages'),
          '--workspace-directory', join(work, 'workspace'), '--sandbox-tree', sources, '--extra-tree', keys, '--force', 'build',
        ],
        { asRoot: true, cwd: here, log },
      )).finally(() => closeSync(log));
    renameSync(output, dir);
    return image;
  });
}
