// SPDX-License-Identifier: Apache-2.0
// What a Containerfile of recipes/ says, done without a builder of images: packages by its lockfile, fetched on this side by npm; its files;
// and the tool root as it lies in the machine. Brought in as an operator does, by digest.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { step } from '../../image/host/progress.ts';
import { cache, finished, repository, withLock } from '../../image/host/workplace.ts';
import { declare, machine, root } from './machine.ts';

const NPM_FILES = ['package.json', 'package-lock.json', '.npmrc'];

/** Its node_modules, once for each lockfile. Nothing is fetched but by npm, from the registry that this machine is set to. */
async function packagesOf(name: string): Promise<string> {
  const recipe = join(repository, 'recipes', name);
  const hash = createHash('sha256');
  for (const file of NPM_FILES) hash.update(readFileSync(join(recipe, file)));
  const kept = join(cache, 'recipes');
  const dir = join(kept, `${name}-${hash.digest('hex').slice(0, 16)}`);
  return withLock('recipes', async () => {
    if (existsSync(dir)) return dir;
    const fresh = `${dir}.partial`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    for (const file of NPM_FILES) cpSync(join(recipe, file), join(fresh, file));
    await step(`installing the packages of recipes/${name} (once)`, () =>
      finished(spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'], { cwd: fresh, stdio: ['ignore', 2, 2] }), 'npm ci'),
    );
    renameSync(fresh, dir);
    return dir;
  });
}

/** Brings the image in and declares the agent of the recipe, with further lines in its file. Minutes under emulation: it waits as others do. */
export async function bringRecipe(name: string, more = ''): Promise<void> {
  const recipe = join(repository, 'recipes', name);
  const packages = await packagesOf(name);
  const stage = mkdtempSync(join(tmpdir(), 'holdfast-recipe-'));
  const [place, archive] = [`/var/lib/test-recipe-${name}`, `/var/lib/test-recipe-${name}.tar`];
  const piped = (what: string, script: string, ...words: readonly string[]): Promise<void> =>
    finished(spawn('/bin/bash', ['-euo', 'pipefail', '-c', script, 'bash', machine().sshConfig, ...words], { stdio: ['ignore', 2, 2] }), `${what} recipes/${name}`);
  try {
    // Each COPY; the one RUN is the packages (tests/structure/recipes.test.ts).
    for (const [, words] of readFileSync(join(recipe, 'Containerfile'), 'utf8').matchAll(/^COPY (.*)$/gm)) {
      const files = words!.split(' ');
      const to = join(stage, files.pop()!);
      for (const file of files) cpSync(join(recipe, file), words!.endsWith('/') ? join(to, file) : to);
    }
    const within = `usr/local/lib/${name}/node_modules`;
    const send = `tar -C "$2" -c . --transform "s,^\\./node_modules,./$4," -C "$3" ./node_modules | gzip -1 | ssh -F "$1" root "rm -rf ${place} && mkdir ${place} && tar -C ${place} --no-same-owner -xz"`;
    await piped('sending what is brought by', send, stage, packages, within);
  } finally {
    rmSync(stage, { recursive: true });
  }
  const digest = root(`cd /usr/lib/holdfast/toolroot && tar -cf ${archive} --owner=0 --group=0 . -C ${place} ./usr/local && rm -r ${place} && chmod 644 ${archive} && sha256sum ${archive} | cut -d' ' -f1`).trim();
  declare(readFileSync(join(recipe, 'agent.yaml'), 'utf8').replace(/sha256-0{64}/, `sha256-${digest}`) + more);
  await piped('the import of', `ssh -F "$1" root "runuser -u alice -- holdfast container import ${name} sha256:${digest} <${archive}; status=\\$?; rm ${archive}; exit \\$status"`);
}
